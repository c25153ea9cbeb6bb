"""The lifecycle node `vo`: camera images in, odometry out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from threading import Thread

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger

from loftr_ros.errors import LoftrRosError
from loftr_ros.messages.camera_choice import Choice
from loftr_ros.output import inside
from loftr_ros.ros.background import in_background, in_thread
from loftr_ros.ros.callback_errors import CallbackErrors
from loftr_ros.ros.network_loading import Matcher, load_network, network_diagnostics
from loftr_ros.ros.parameters.declaration import NodeParameters
from loftr_ros.ros.parameters.table import VoParameters, odometry_config
from loftr_ros.ros.pipeline import Pipeline
from loftr_ros.ros.publishers.diagnostics import user_message
from loftr_ros.ros.publishers.diagnostics_output import DiagnosticsOutput, Report
from loftr_ros.ros.publishers.outputs import Outputs
from loftr_ros.ros.sensors.camera_discovery import CameraSearch, topics_are_named
from loftr_ros.ros.sensors.streams import streams

# The lifecycle manager of Nav2 waits five seconds for a transition; most errors of loading show within one.
_LOADING_WAIT_S = 1.0
_POLL_S = 0.2


class NodeStartError(LoftrRosError):
    """Autostart failed; the message says why."""


TransitionT = Callable[["VoNode", LifecycleState], TransitionCallbackReturn]


def _on_exception(result: TransitionCallbackReturn) -> Callable[[TransitionT], TransitionT]:
    """Report the exception of a transition and return this result: rclpy discards exceptions silently."""

    def decorate(transition: TransitionT) -> TransitionT:
        @wraps(transition)
        def reporting(self: VoNode, state: LifecycleState) -> TransitionCallbackReturn:
            try:
                return transition(self, state)
            except Exception as error:
                self.fail(error)
                return result

        return reporting

    return decorate


class VoNode(LifecycleNode):
    """Visual odometry as a managed node.

    Configure loads the network and creates the publishers, activate subscribes to the camera; deactivate and cleanup
    undo them. Every activation, and every call of `reset`, starts at the initial pose of the parameters.

    Transitions return within about a second: the network loads in a background thread, and a timer starts the odometry
    when both network and camera are available.

    Attributes:
        errors: of the callbacks.
        saving: number of results being written.
    """

    def __init__(self) -> None:
        """Declare the parameters.

        Raises:
            ParameterError: a parameter does not exist or is outside its range.
        """
        super().__init__("vo", namespace="/loftr")
        self.errors = CallbackErrors(self)
        self.saving = 0
        self._network: Future[Matcher] | None = None
        self._outputs: Outputs | None = None
        self._search: CameraSearch | None = None
        self._pipeline: Pipeline | None = None
        self._worker: Thread | None = None
        self._error: str | None = None
        self._is_starting = False
        self._table = NodeParameters(self, self._reconfigure)
        self._diagnostics = DiagnosticsOutput(self, self._report)
        self._start_timer = self.create_timer(_POLL_S, self._poll_start, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._start_timer.cancel()
        self._control_services = [
            self.create_service(Trigger, "reset", self._reset),
            self.create_service(Trigger, "save_trajectory", self._save_trajectory),
            self.create_service(Trigger, "record_failure", self._record_failure),
        ]
        self.errors.guard_services()

    def start(self) -> None:
        """Configure and activate if `autostart` is set. Raises NodeStartError."""
        if not self.get_parameter("autostart").value:
            return
        self._is_starting = True
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != TransitionCallbackReturn.SUCCESS:
                raise NodeStartError(self._error or f"{transition.__name__} failed")

    def close(self) -> None:
        """Stop the odometry and free all resources, in any state; does not wait for the frame being processed."""
        self._stop()
        outputs, self._outputs, self._network = self._outputs, None, None
        self._table.in_use = False
        if outputs:
            outputs.close()

    def interrupt(self) -> None:
        """Unblock callbacks that wait for the worker. May be called from any thread."""
        pipeline = self._pipeline
        if pipeline:
            pipeline.interrupt()

    def fail(self, error: Exception) -> None:
        """Report in log and diagnostics why a transition failed, or why the odometry cannot start."""
        self._error = user_message(error)
        self.get_logger().error(self._error)
        self._diagnostics.publish()

    @_on_exception(TransitionCallbackReturn.FAILURE)
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create the publishers and start loading the network."""
        self._error = None
        try:
            parameters = self._table.values()
            odometry_config(parameters)  # refuses parameters that exclude each other
            if topics_are_named(parameters):
                streams(parameters, self.resolve_topic_name)
            self._outputs = Outputs(self, parameters)
            self._network = in_thread(partial(load_network, parameters), daemon=True)
            wait([self._network], _LOADING_WAIT_S)
            if self._network.done():
                self._network.result()
        except Exception:
            self.close()
            raise
        self._table.in_use = True
        return super().on_configure(state)

    @_on_exception(TransitionCallbackReturn.FAILURE)
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start camera discovery if no topic is set, and the odometry once camera and network are available."""
        self._error = None
        parameters = self._table.values()
        self._search = None if topics_are_named(parameters) else CameraSearch(self, parameters)
        self._start_odometry()
        if not self._pipeline:
            self._start_timer.reset()
        return super().on_activate(state)

    @_on_exception(TransitionCallbackReturn.ERROR)
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop the odometry."""
        self._stop()
        return super().on_deactivate(state)

    @_on_exception(TransitionCallbackReturn.ERROR)
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network and remove the publishers."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    @_on_exception(TransitionCallbackReturn.ERROR)
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free all resources."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    @_on_exception(TransitionCallbackReturn.SUCCESS)
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free all resources after a transition raised, so that the node can be configured again."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def _start_odometry(self) -> None:
        """Start the odometry if camera and network are available. Raises the error of either."""
        assert self._network is not None
        assert self._outputs is not None
        matcher = self._network.result() if self._network.done() else None
        camera = self._search.camera() if self._search else Choice({})
        if matcher is None or camera is None or (self._worker and self._worker.is_alive()):
            return
        parameters, log = replace(self._table.values(), **camera.parameters), self.get_logger()
        if self._search:
            log.info(f"discovered {camera}, the only {parameters.mode} camera that is publishing")
        self._outputs.reconfigure(parameters)
        self._outputs.restart()
        self._pipeline = Pipeline(self, parameters, matcher, self._outputs)
        self._is_starting, self._search = False, None
        self._start_timer.cancel()
        log.info(f"active: checkpoint {matcher.checkpoint} on {matcher.device}, waiting for {parameters.mode} images")

    def _poll_start(self) -> None:
        """Poll from the activation until the odometry starts."""
        try:
            self._start_odometry()
        except Exception as error:
            self._start_timer.cancel()
            self.fail(error)
            if self._is_starting:
                raise NodeStartError(str(self._error)) from error

    def _stop(self) -> None:
        """Stop the odometry, or the attempts to start it. The worker may still process its last frame."""
        self._start_timer.cancel()
        self._is_starting, self._search = False, None
        pipeline, self._pipeline = self._pipeline, None
        if pipeline:
            self._worker = pipeline.close()

    def _report(self) -> Report:
        values = self._pipeline.diagnostics() if self._pipeline else {}
        if self._network and self._network.done() and not self._network.exception():
            values |= network_diagnostics(self._network.result())
        level, text = self._status()
        if level != DiagnosticStatus.ERROR:
            level, text = self.errors.recent() or (level, text)
        return Report(level, text, values | self.errors.diagnostics())

    def _reconfigure(self, parameters: VoParameters) -> None:
        """Apply changed parameters to the running odometry; an inactive node reads them when it is activated."""
        if self._pipeline:
            self._pipeline.reconfigure(parameters)

    def _reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._pipeline is not None
        response.message = f"no odometry is running: {self._status()[1]}"
        if self._pipeline:
            self._pipeline.reset()
            response.message = "the odometry restarts with the next frame"
        return response

    async def _save_trajectory(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        outputs, parameters = self._outputs, self._table.values()
        if outputs is None or self.executor is None:
            response.message = "the node is not configured, so it has no trajectory: configure and activate it first"
            return response
        path = inside(Path(parameters.output_folder), parameters.trajectory_file, "trajectory_file")
        return await self._saved(response, lambda: outputs.trajectory.save(path))

    async def _record_failure(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        pipeline, parameters = self._pipeline, self._table.values()
        if pipeline is None or self.executor is None:
            response.message = f"no odometry is running: {self._status()[1]}"
            return response
        folder = inside(Path(parameters.output_folder), ".", "output_folder")
        return await self._saved(response, lambda: pipeline.failure_record.write(folder, parameters))

    async def _saved(self, response: Trigger.Response, save: Callable[[], str]) -> Trigger.Response:
        """Respond with the message of `save`, which runs in a thread for which the exit of the node waits."""
        assert self.executor is not None
        self.saving += 1
        try:
            response.message = await in_background(self.executor, save)
            response.success = True
        finally:
            self.saving -= 1
        return response

    def _status(self) -> tuple[bytes, str]:
        if self._pipeline:
            return self._pipeline.status()
        if self._error:
            return DiagnosticStatus.ERROR, self._error
        loading = self._network is not None and not self._network.done()
        if self._network and not loading and isinstance(failed := self._network.exception(), Exception):
            return DiagnosticStatus.ERROR, user_message(failed)
        if self._search:
            return self._search.status()
        return DiagnosticStatus.OK, "loading the network" if loading else "not active"


if __name__ == "__main__":  # python -m loftr_ros.ros.vo_node
    from loftr_ros.ros.main import main

    main()
