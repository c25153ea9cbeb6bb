"""The check of live topics, from camera discovery to the frames that the node would process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from rclpy.impl.logging_severity import LoggingSeverity
from rclpy.node import Node

from loftr_ros.checkup.calibration_findings import calibration_findings
from loftr_ros.checkup.findings import Finding, Level, Report, error, has_error, judged
from loftr_ros.checkup.image_survey import ImageSurvey
from loftr_ros.errors import LoftrRosError
from loftr_ros.messages.calibration import Calibration
from loftr_ros.messages.camera_choice import TOPICS_NEEDED
from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.geometry.camera import CameraError
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.validation import check_frame
from loftr_ros.ros.checkup.listener import SEARCH_S, Camera, Listener, Received
from loftr_ros.ros.checkup.topic_findings import extrinsics_finding, is_given, pair_findings, stream_findings
from loftr_ros.ros.initialization import create_node
from loftr_ros.ros.messages.time import nanoseconds
from loftr_ros.ros.sensors import watchdog
from loftr_ros.ros.sensors.camera_discovery import CameraSearchError, published, the_only
from loftr_ros.ros.sensors.camera_subscriber import CameraMessages
from loftr_ros.ros.sensors.frame_builder import FrameBuilder
from loftr_ros.ros.transforms.baseline import Baseline
from loftr_ros.ros.transforms.extrinsic import refused_by_tf
from loftr_ros.ros.transforms.tf_lookup import TfLookup

SOURCE = "live topics"
# Without exact pairs, images whose stamps differ by less than this are checked as pairs.
_ABOUT_A_PAIR_NS = 50_000_000
_TF_S = 2.0  # static transforms arrive within this time

# Runs the odometry on a few frames in order of time, given their mode.
MotionCheck = Callable[[list[Frame], Mode], list[Finding]]


def check_topics(mode: Mode | None, seconds: float, keep: int, motion: MotionCheck | None) -> Report:
    """Receive the messages of the camera that is publishing, and check them. ROS must be initialized.

    Args:
        mode: to check; None for that of the parameters on the command line, or else the best that the topics support.
        seconds: to receive messages.
        keep: number of images of each topic that are checked.
        motion: check of the odometry on the frames; None leaves it out.

    Raises:
        ParameterError: a parameter on the command line does not exist or is outside its range.
    """
    node = create_node("check")
    node.get_logger().set_level(LoggingSeverity.WARN)
    listener = None
    try:
        listener = Listener(node, mode)
        camera = listener.find_camera()
        if camera is None:
            return Report(SOURCE, mode, (_no_camera(node, listener, mode),))
        findings, checked = [_chosen(node, camera)], camera.parameters.mode
        findings += _LiveCheck(node, listener, listener.listen(camera, seconds, keep)).findings(motion)
        return Report(SOURCE, checked, tuple(findings))
    finally:
        if listener:
            listener.close()
        node.destroy_node()


def _no_camera(node: Node, listener: Listener, mode: Mode | None) -> Finding:
    """Report the error of the camera discovery, and the topics that are published instead."""
    try:
        the_only([], mode or "mono", published(node))
        reason = ""
    except CameraSearchError as fault:
        reason = str(fault)
    figure = f"no camera; published topics: {listener.other_topics()}"
    return Finding("topics", "camera", figure, Level.ERROR, reason)


def _chosen(node: Node, camera: Camera) -> Finding:
    p = camera.parameters
    topics = " + ".join(node.resolve_topic_name(getattr(p, name)) for name in TOPICS_NEEDED[p.mode])
    figure = f"{topics}{' (compressed)' if p.image_transport == 'compressed' else ''}"
    more = camera.others
    advice = ""
    if more:
        names = " and ".join(TOPICS_NEEDED[p.mode])
        advice = f"{more} more {p.mode} camera{'s are' if more > 1 else ' is'} publishing: the node needs {names}"
    return judged("topics", "camera", figure, advice, others=more)


class _LiveCheck:
    """Checks the messages of one camera."""

    def __init__(self, node: Node, listener: Listener, received: Received) -> None:
        self._node, self._listener, self._tf = node, listener, TfLookup(node)
        self._received = received
        self._parameters = replace(received.parameters, input_timeout=SEARCH_S)
        self._mode: Mode = received.parameters.mode

    def findings(self, motion: MotionCheck | None) -> list[Finding]:
        """Return all findings, with `motion` also those of the odometry unless an error was found before."""
        findings, received = self._topics(), self._received
        if not all(map(len, (*received.images.values(), *received.infos.values()))):
            return findings
        try:
            frames, calibration = self._frames()
        except CameraError as fault:
            return [*findings, error("calibration", "camera", fault)]
        except LoftrRosError as fault:
            return [*findings, error("images", "images", fault)]
        if frames:
            findings.append(self._rectification())
            findings += calibration_findings(frames[0].camera, frames[0].rig, calibration.warning or "")
            findings += self._images(frames)
        findings.append(self._extrinsics())
        if motion and len(frames) > 1 and not has_error(findings):
            findings += motion(frames, self._mode)
        return findings

    def _topics(self) -> list[Finding]:
        findings, received, p = [], self._received, self._parameters
        for stream in received.streams:
            log = received.images[stream.topic]
            findings.append(self._publishers(stream.topic))
            if not len(log):
                findings.append(error(stream.topic, "received", watchdog.no_images(self._node, stream, p)))
                continue
            findings += stream_findings(stream.topic, log, p.base_frame)
            if stream.info_topic and not len(received.infos[stream.info_topic]):
                reason = watchdog.no_calibration(self._node, stream.info_topic, p)
                findings.append(error(stream.topic, "camera_info", reason))
        logs = [received.images[stream.topic] for stream in received.streams]
        if len(logs) == 2 and all(map(len, logs)):
            first, second = (stream.topic for stream in received.streams)
            findings += pair_findings((first, second), (logs[0], logs[1]), self._mode, p.sync)
        return findings

    def _publishers(self, topic: str) -> Finding:
        publishers = self._node.get_publishers_info_by_topic(topic)
        listed = ", ".join(
            f"{p.node_namespace.rstrip('/')}/{p.node_name} ({p.qos_profile.reliability.name.lower().replace('_', ' ')})"
            for p in publishers
        )
        kinds = ", ".join(sorted({p.topic_type.rpartition("/")[2] for p in publishers}))
        advice = "only one camera may publish a topic: end the others" if len(publishers) > 1 else ""
        figure = f"{kinds} by {listed}" if listed else "nobody"
        return judged(topic, "publisher", figure, advice, publishers=len(publishers))

    def _frames(self) -> tuple[list[Frame], Calibration]:
        """Convert the messages to frames as the node does. Raises LoftrRosError if they cannot be converted."""
        p, received = self._parameters, self._received
        baseline = Baseline(self._tf, p.stereo_baseline)
        calibration = Calibration(baseline.of, rectified=self._rectified)
        builder = FrameBuilder(received.streams, calibration, self._mode)
        infos = tuple(log.messages[0] for log in received.infos.values())
        try:
            calibration.cameras(infos)
        except CameraError:  # the baseline may be in TF, which takes a moment to arrive
            self._listener.spin(_TF_S if self._tf.is_installed else 0.0)
        frames: list[Frame] = []
        for images in self._sets():
            frame = builder.frame(CameraMessages(images, infos, 0.0, 0))
            if not frames or frame.stamp_ns > frames[-1].stamp_ns:
                check_frame(frame, None, self._mode)
                frames.append(frame)
        baseline.close()
        return frames, calibration

    @property
    def _rectified(self) -> bool:
        p = self._parameters
        return p.stereo_rectified if self._mode == "stereo" else p.rectified

    def _rectification(self) -> Finding:
        """Report which part of the calibration is used, as a wrong choice shows in no single image."""
        name = "stereo_rectified" if self._mode == "stereo" else "rectified"
        kind, source = ("rectified", "P") if self._rectified else ("raw", "K and D")
        return judged("calibration", "images", f"used as {kind}, with {source} of camera_info (parameter {name})", "")

    def _sets(self) -> list[tuple[object, ...]]:
        """Return the stored images as pairs of equal stamps, or of similar ones if no stamps are equal."""
        first, *others = (self._received.images[stream.topic].messages for stream in self._received.streams)
        if not others:
            return [(message,) for message in first]
        stamps = np.array([nanoseconds(message.header.stamp) for message in others[0]], np.int64)
        sets = []
        for message in first:
            apart = np.abs(stamps - nanoseconds(message.header.stamp))
            sets.append((int(apart.min()), (message, others[0][int(apart.argmin())])))
        limit = 0 if any(apart == 0 for apart, _ in sets) else _ABOUT_A_PAIR_NS
        return [pair for apart, pair in sets if apart <= limit]

    def _images(self, frames: list[Frame]) -> list[Finding]:
        survey = ImageSurvey()
        for before, frame in zip([None, *frames], frames, strict=False):
            survey.add(frame, before)
        kinds = [log.messages[0] for log in self._received.images.values()]
        described = [getattr(message, "encoding", "") or message.format for message in kinds]
        height, width = frames[0].image.shape
        figure = f"{width}x{height}, {' + '.join(described)}"
        pixels = judged("images", "format", figure, "", width_px=width, height_px=height)
        unit = "in meters" if "32FC1" in described[-1] else f"{self._parameters.depth_scale:g} m a count (depth_scale)"
        return [pixels, *survey.findings(), *survey.depth_finding(unit)]

    def _extrinsics(self) -> Finding:
        p, installed = self._parameters, self._tf.is_installed
        frame = min(self._received.images[self._received.streams[0].topic].frame_ids)
        if not installed or is_given(p) or refused_by_tf(frame, p.base_frame):
            return extrinsics_finding(p, frame, None, installed)
        self._tf.listen(self)
        self._listener.spin(_TF_S)
        T_base_camera = self._tf.find(p.base_frame, frame)
        self._tf.release(self)
        return extrinsics_finding(p, frame, T_base_camera, installed)
