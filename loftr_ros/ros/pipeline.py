"""The processing pipeline of the active node: synchronized messages in, odometry, messages out."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo

from loftr_ros.ignore_mask import MaskedMatcher
from loftr_ros.loftr.runtime.device import OutOfMemory
from loftr_ros.loftr.runtime.matcher import LoftrMatcher
from loftr_ros.messages.calibration import Calibration
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.resampling import same_lens_and_pixels
from loftr_ros.odometry.images.working_size import at_working_size, working_size
from loftr_ros.odometry.scale.metric_odometry import MetricOdometry
from loftr_ros.odometry.states import TrackingState
from loftr_ros.ros.budget.controller import BudgetController
from loftr_ros.ros.error_log import ErrorLog
from loftr_ros.ros.failure_record import FailureRecord
from loftr_ros.ros.messages.time import nanoseconds
from loftr_ros.ros.parameters.table import VoParameters, odometry_config
from loftr_ros.ros.publishers.diagnostics import Statistics, user_message
from loftr_ros.ros.publishers.outputs import Outputs
from loftr_ros.ros.sensors.camera_subscriber import CameraInput, CameraMessages
from loftr_ros.ros.sensors.frame_builder import FrameBuilder
from loftr_ros.ros.sensors.input_notes import InputNotes
from loftr_ros.ros.sensors.interruptions import Interruptions
from loftr_ros.ros.sensors.streams import streams
from loftr_ros.ros.sensors.wheel_subscriber import WheelInput
from loftr_ros.ros.transforms.baseline import Baseline
from loftr_ros.ros.transforms.frames import pitch_of
from loftr_ros.ros.worker import Worker

_WARM_UP_LIMIT_S = 60.0


class Pipeline:
    """One run of the odometry, from activation to deactivation.

    Attributes:
        statistics: for the diagnostics.
        failure_record: the last frames.
    """

    def __init__(
        self, node: LifecycleNode, parameters: VoParameters, matcher: LoftrMatcher | MaskedMatcher, outputs: Outputs
    ) -> None:
        """Subscribe and start the worker.

        Args:
            node: owner of the subscriptions.
            parameters: of the node.
            matcher: used by the worker alone.
            outputs: publishers of the estimates.
        """
        self.statistics = Statistics(lambda: int(node.get_clock().now().nanoseconds))
        self._node = node
        cameras = streams(parameters, node.resolve_topic_name)
        rectified = parameters.stereo_rectified if parameters.mode == "stereo" else parameters.rectified
        self._baseline = Baseline(outputs.tf, parameters.stereo_baseline)
        warn = node.get_logger().warning
        self._calibration = Calibration(
            self._baseline.of, rectified=rectified, warn=warn, topics=[stream.topic for stream in cameras]
        )
        self._frames = FrameBuilder(cameras, self._calibration, parameters.mode, warn)
        self._notes = InputNotes(cameras, parameters, node.get_logger().info, warn)
        self._wheels = WheelInput(node, parameters) if parameters.scale_source == "odometry" else None
        wheels = self._wheels.positions if self._wheels else None
        self._matcher = matcher
        self._needs_warm_up = matcher.device.type == "cuda"
        self._budget = BudgetController(matcher, parameters)
        self.failure_record = FailureRecord(parameters.record_failure_memory << 20)
        self._odometry = MetricOdometry(matcher, odometry_config(parameters), wheels)
        self._outputs = outputs
        self._parameters = parameters
        self._T_base_camera: NDArray[np.float64] | None = None
        self._pitch: float | None = None
        self._epoch = 0
        self._camera: Camera | None = None
        self._interruptions = Interruptions()
        self._error: str | None = None
        self._errors = ErrorLog(node)
        self._frame_s = 0.0
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._publishing = Lock()
        self._is_closed = False
        self._input = CameraInput(node, parameters, cameras, self._deliver, self.statistics.frame_ignored)
        capacity = parameters.queue_size if parameters.process_every_frame else None
        self._worker = Worker(self._process, self.statistics.frame_dropped, capacity)

    def close(self) -> Thread:
        """Unsubscribe and publish nothing more. Returns the worker thread, which may still process its last frame."""
        self._input.close()
        if self._wheels:
            self._wheels.close()
        self._baseline.close()
        with self._publishing:
            self._is_closed = True
        return self._worker.stop()

    def interrupt(self) -> None:
        """Accept no more frames. May be called from any thread."""
        self._worker.stop()

    def reset(self) -> None:
        """Restart with the next frame at the initial pose of the parameters."""
        self._commands.put(self._odometry.reset)
        self._commands.put(self._outputs.restart)

    def reconfigure(self, parameters: VoParameters) -> None:
        """Apply changed parameters from the next frame on."""
        self._commands.put(partial(self._apply_parameters, parameters))

    def status(self) -> tuple[bytes, str]:
        """Return level and message for the diagnostics."""
        error, state = self.error(), self.statistics.state
        if error:
            return DiagnosticStatus.ERROR, error
        if state is TrackingState.LOST:
            fault = self._interrupted() or self.statistics.input_fault
            lost = f"lost: {self.statistics.lost_because}; the pose is a prediction"
            return DiagnosticStatus.WARN, f"{lost}; {fault}" if fault else lost
        if warning := self.warning():
            return DiagnosticStatus.WARN, warning
        return DiagnosticStatus.OK, state.value if state else "waiting for images"

    def error(self) -> str | None:
        """Return why no odometry is published, in one sentence, or None."""
        # A frame that hangs comes first, as a player may wait for it; a slow one comes after a camera that has stopped.
        in_work = self._stalled(self._worker.busy_s())
        return in_work or self._input.error() or self._stalled(self._frame_s) or self._error

    def _stalled(self, seconds: float) -> str | None:
        """Return that a frame takes longer than `input_timeout`: images arrive but hardly any odometry.

        Until the first frame is done, a GPU is warmed up.
        """
        limit = self._parameters.input_timeout if self.statistics.state else _WARM_UP_LIMIT_S
        if seconds < limit:
            return None
        return (
            f"a frame takes {seconds:.0f} s, so hardly any odometry is published: check what else uses "
            f"{self._matcher.device}, reduce max_pixels, or restart the node"
        )

    def warning(self) -> str | None:
        """Return a fault that does not stop the odometry, in one sentence, or None."""
        wheels = self._wheels.warning() if self._wheels else None
        made_of = self._calibration.warning or self._frames.warning or self._notes.warning
        input_ = made_of or self.statistics.input_fault
        measured = self._interrupted() or wheels or self._missing_depth() or input_
        return self._outputs.warning() or measured or self._budget.warning() or self._matcher.fallback

    def _interrupted(self) -> str | None:
        """Return that the odometry starts over, or the calibration changes, again and again."""
        if (repeated := self._interruptions.repeated()) is None:
            return None
        hint = self._input.other_publishers() or "let one driver with one clock and one calibration publish the images"
        return f"{repeated.what} {repeated.times} times in 10 s, which disturbs the odometry each time: {hint}"

    def _missing_depth(self) -> str | None:
        """Warn before the first motion: without depth the camera is lost as soon as it moves."""
        is_metric = self._parameters.mode == "mono" or self.statistics.scale_known
        if is_metric or self.statistics.state is not TrackingState.STATIONARY:
            return None
        images = "right images" if self._parameters.mode == "stereo" else "depth images"
        return f"no depth was measured yet, and without it a moving camera is lost: check the {images}"

    def diagnostics(self) -> dict[str, str]:
        """Return names and values for the diagnostics."""
        return self.statistics.diagnostics() | self._notes.diagnostics() | self._budget.diagnostics()

    def _deliver(self, messages: CameraMessages) -> None:
        self.statistics.frame_received()
        self._worker.put(messages)

    def _process(self, messages: CameraMessages) -> None:
        """Process a frame in the worker, which continues after any error of a frame."""
        began = time.monotonic()
        try:
            self._run_commands()
            self._handle_time_jump(messages.epoch)
            if self._needs_warm_up:
                self._warm_up(messages.infos[0])
            estimate = self._estimate(messages)
        except (Exception, SystemExit) as error:  # libraries exit, too
            self._frame_s = time.monotonic() - began
            if self._is_closed:
                return
            if isinstance(error, OutOfMemory):
                self._back_off(error)
            self._fail(error)
        else:
            self._frame_s = time.monotonic() - began
            self.statistics.frame_processed(estimate, messages.arrival)
            self._budget.frame_took(estimate, self._frame_s)
            self._error = None

    def _estimate(self, messages: CameraMessages) -> OdometryEstimate:
        """Convert the messages to a frame, estimate its pose and publish it."""
        camera_frame = messages.images[0].header.frame_id
        T_base_camera = self._outputs.extrinsic.of(camera_frame)
        if self._wheels:
            self._wheels.update(T_base_camera, nanoseconds(messages.images[0].header.stamp))
        self._set_extrinsics(T_base_camera)
        frame = self._frames.frame(messages)
        if self._camera is not None and not same_lens_and_pixels(self._camera, frame.camera):
            self._interruptions.add("the calibration of the images changed")
        self._camera = frame.camera
        self.failure_record.add(frame)
        self._notes.add(messages.images, frame)
        frame = at_working_size(frame, self._parameters.max_pixels)
        if self._budget.set_for(frame.image.size):
            self._odometry.invalidate_keyframe_features()
        estimate = self._odometry.process(frame)
        self.failure_record.add_estimate(estimate)
        with self._publishing:
            if not self._is_closed:
                self._outputs.publish(frame, camera_frame, T_base_camera, estimate)
        return estimate

    def _set_extrinsics(self, T_base_camera: NDArray[np.float64]) -> None:
        """Apply new extrinsics by a restart from the current pose of the base, which would jump otherwise."""
        if T_base_camera is self._T_base_camera:
            return
        pitch = pitch_of(T_base_camera)
        config = odometry_config(self._parameters, pitch)  # refused with each frame, as nothing is changed before
        if self._T_base_camera is not None:
            self._interruptions.add("the pose of the camera on the base changed")
            self._outputs.restart_here()
        self._T_base_camera, self._pitch = T_base_camera, pitch
        self._odometry.reconfigure(config)
        self._odometry.reset()

    def _warm_up(self, info: CameraInfo) -> None:
        """Warm a GPU up for the image size of the camera, once."""
        self._needs_warm_up = False
        width, height = working_size(info.width, info.height, self._parameters.max_pixels)
        seconds = self._matcher.warm_up(height, width)
        self._node.get_logger().info(f"warm-up for images of {width} x {height} took {seconds:.1f} s")

    def _back_off(self, error: OutOfMemory) -> None:
        """Reduce the budget to what the matcher chose, and restart from the current pose: the keyframe is too large."""
        self._budget.back_off(str(error))
        self._odometry.reset()
        self._outputs.restart_here()

    def _apply_parameters(self, parameters: VoParameters) -> None:
        config = odometry_config(parameters, self._pitch)
        self._parameters = parameters
        self._budget.reconfigure(parameters)
        self._odometry.reconfigure(config)
        self._outputs.reconfigure(parameters)

    def _run_commands(self) -> None:
        """Run the commands of other threads: only the worker accesses the odometry."""
        while not self._commands.empty():
            self._commands.get()()

    def _handle_time_jump(self, epoch: int) -> None:
        """Restart the odometry when time has jumped back: velocities across the jump are undefined."""
        if epoch == self._epoch:
            return
        self._epoch = epoch
        self._odometry.reset()
        if self._parameters.on_time_jump == "restart":
            self._outputs.restart()
        else:
            self._outputs.restart_here()
        what = "the stamps of the images jumped back"
        if self._interruptions.add(what):
            self._node.get_logger().warning(f"{what}: on_time_jump is {self._parameters.on_time_jump}")

    def _fail(self, error: BaseException) -> None:
        self.statistics.frame_dropped()
        self._error = user_message(error)
        self.failure_record.add_error(self._error)
        self._errors.add(error, self._error)
