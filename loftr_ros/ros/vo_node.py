"""The lifecycle node `vo`: camera images in, odometry out."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger

from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.matcher import LoftrMatcher, load_matcher
from loftr_ros.odometry.estimate import TrackingState
from loftr_ros.ros.background import in_background
from loftr_ros.ros.camera_search import find_camera
from loftr_ros.ros.diagnostics import sentence
from loftr_ros.ros.diagnostics_output import DiagnosticsOutput, Report
from loftr_ros.ros.ignore_mask import MaskedMatcher
from loftr_ros.ros.node_parameters import NodeParameters
from loftr_ros.ros.outputs import Outputs
from loftr_ros.ros.parameters import VoParameters, allowed_effort, odometry_config
from loftr_ros.ros.pipeline import Pipeline
from loftr_ros.ros.trajectory_log import TrajectoryLogError


class NodeStartError(LoftrRosError):
    """The node was to start by itself and could not; the message says why."""


class VoNode(LifecycleNode):
    """Visual odometry as a managed node.

    Configuring loads the network and creates the publishers, activating subscribes to the camera; deactivating and
    cleaning up undo them. Every activation, and every call of `reset`, starts at the initial pose of the parameters.
    """

    def __init__(self) -> None:
        """Declare the parameters.

        Raises:
            ParameterError: a parameter does not exist or is outside its range.
        """
        super().__init__("vo", namespace="/loftr")
        self._matcher: LoftrMatcher | MaskedMatcher | None = None
        self._outputs: Outputs | None = None
        self._pipeline: Pipeline | None = None
        self._error: str | None = None
        self._table = NodeParameters(self, self._reconfigure)
        self._diagnostics = DiagnosticsOutput(self, self._report)
        self._controls = [
            self.create_service(Trigger, "reset", self._reset),
            self.create_service(Trigger, "save_trajectory", self._save_trajectory),
        ]

    def start(self) -> None:
        """Configure and activate, if `autostart` says so. Raises NodeStartError."""
        if not self.get_parameter("autostart").value:
            return
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != TransitionCallbackReturn.SUCCESS:
                raise NodeStartError(self._error or f"{transition.__name__} failed")

    def close(self) -> None:
        """Stop the worker and free everything, in whatever state the node is."""
        if self._pipeline:
            self._pipeline.close()
            self._pipeline = None
        if self._outputs:
            self._outputs.close()
            self._outputs = None
        self._matcher = None
        self._table.in_use = False

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the network and create the publishers."""
        try:
            parameters = self._table.values()
            odometry_config(parameters)  # refuses what does not go together
            self._matcher = _load_matcher(parameters)
            self._outputs = Outputs(self, parameters)
        except Exception as error:
            self.close()
            return self._refuse(error)
        self._error = None
        self._table.in_use = True
        self.get_logger().info(f"configured: checkpoint {self._matcher.checkpoint} on {self._matcher.device}")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Find the camera, if none is named, subscribe, and start matching."""
        assert self._matcher is not None
        assert self._outputs is not None
        try:
            parameters = find_camera(self, self._table.values())
            self._outputs.reconfigure(parameters)
            self._outputs.restart()
            self._pipeline = Pipeline(self, parameters, self._matcher, self._outputs)
        except Exception as error:
            return self._refuse(error)
        self._error = None
        self.get_logger().info(f"active: waiting for {parameters.mode} images")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop matching."""
        if self._pipeline:
            self._pipeline.close()
            self._pipeline = None
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network and remove the publishers."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def _report(self) -> Report:
        values = self._pipeline.values() if self._pipeline else {}
        if self._matcher:
            values |= _network_values(self._matcher)
        return Report(*self._status(), values)

    def _refuse(self, error: Exception) -> TransitionCallbackReturn:
        """Say why a transition did not happen."""
        self._error = sentence(error)
        self.get_logger().error(self._error)
        self._diagnostics.publish()
        return TransitionCallbackReturn.FAILURE

    def _reconfigure(self, parameters: VoParameters) -> None:
        """Take changed parameters; what is not active takes them when it is activated."""
        if self._pipeline:
            self._pipeline.reconfigure(parameters)

    def _reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._pipeline is not None
        response.message = "the node is not active: activate it first"
        if self._pipeline:
            self._pipeline.reset()
            response.message = "the next frame is the start of a new odometry"
        return response

    async def _save_trajectory(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        outputs, path = self._outputs, Path(self._table.values().trajectory_file)
        if outputs is None or self.executor is None:
            response.message = "the node is not configured, so there is no trajectory: configure and activate it first"
            return response
        try:
            response.message = await in_background(self.executor, lambda: outputs.trajectory.save(path))
            response.success = True
        except TrajectoryLogError as error:
            response.message = str(error)
        return response

    def _status(self) -> tuple[bytes, str]:
        if self._pipeline is None:
            return (DiagnosticStatus.ERROR, self._error) if self._error else (DiagnosticStatus.OK, "not active")
        problem = self._pipeline.problem()
        if problem:
            return DiagnosticStatus.ERROR, problem
        state = self._pipeline.statistics.state
        if state is TrackingState.LOST:
            return DiagnosticStatus.WARN, f"lost: {self._pipeline.statistics.lost_because}; the pose is a prediction"
        doubt = self._pipeline.doubt()
        if doubt:
            return DiagnosticStatus.WARN, doubt
        return DiagnosticStatus.OK, state.value if state else "waiting for images"


def _network_values(matcher: LoftrMatcher | MaskedMatcher) -> dict[str, str]:
    """Return what the diagnostics show of the network."""
    values = {"device": str(matcher.device), "checkpoint": matcher.checkpoint, "precision": matcher.precision}
    if matcher.device.type == "cuda":
        import torch

        now, peak = torch.cuda.memory_allocated(matcher.device), torch.cuda.max_memory_allocated(matcher.device)
        values["GPU memory (MiB)"] = f"{now / 2**20:.0f}, at most {peak / 2**20:.0f}"
    return values


def _load_matcher(parameters: VoParameters) -> LoftrMatcher | MaskedMatcher:
    if parameters.threads:
        import torch

        torch.set_num_threads(parameters.threads)
    p = parameters
    matcher = load_matcher(p.checkpoint, p.device, allowed_effort(p), p.precision, p.gpu_memory_limit)
    return MaskedMatcher(matcher, Path(p.mask_image).expanduser()) if p.mask_image else matcher


def main(argv: list[str] | None = None) -> int:
    """Run the node until it is told to stop. Returns the exit code: 0, or 2 for an error of the user's."""
    rclpy.init(args=argv)
    try:
        _spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception as error:
        # A signal in the middle of the start makes the next call of ROS fail, which is no error then.
        if rclpy.ok():
            if not isinstance(error, LoftrRosError):
                raise
            print(f"vo_node: error: {error}", file=sys.stderr)
            return 2
    finally:
        rclpy.try_shutdown()
    return 0


def _spin() -> None:
    node = VoNode()
    executor = SingleThreadedExecutor()
    try:
        executor.add_node(node)
        node.start()
        executor.spin()
    finally:
        # ros2 launch repeats the Ctrl-C that the terminal has sent already, in the middle of this.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        node.close()
        executor.shutdown()
        node.destroy_node()


if __name__ == "__main__":
    sys.exit(main())
