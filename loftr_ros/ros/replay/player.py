"""Playback of a recorded sequence as ROS topics."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.ros.initialization import create_node
from loftr_ros.ros.messages.conversions import compressed_from_array, image_from_array, info_from_camera, infos_from_rig
from loftr_ros.ros.messages.time import nanoseconds, time_message
from loftr_ros.ros.replay.reports import PlayReport, ReplayError
from loftr_ros.sequences.sequence import Sequence


@dataclass(frozen=True)
class PlayOptions:
    """Options of the playback.

    Attributes:
        mode: publish the topics of one camera, of left/ and right/, or of one camera and depth/.
        compressed: publish CompressedImage, on the topics of image_transport.
        namespace: of the topics.
        rate: in Hz; None keeps the intervals of the stamps.
        speed: playback speed, divides those intervals.
        frames: number of frames to publish; None: all.
        loop: repeat the sequence, with increasing stamps.
        restamp: stamp frames with the time of publishing.
        lockstep: topic of the odometry, to publish each frame after the odometry of the one before; None plays in time.
        listeners: in lockstep, number of other subscribers of the odometry to wait for before the first frame.
        timeout: seconds to wait for subscribers, and for each odometry in lockstep.
    """

    mode: Mode
    compressed: bool = False
    namespace: str = "/loftr"
    rate: float | None = None
    speed: float = 1.0
    frames: int | None = None
    loop: bool = False
    restamp: bool = False
    lockstep: str | None = None
    listeners: int = 0
    timeout: float = 60.0


def play(sequence: Sequence, options: PlayOptions, skipped: list[str]) -> PlayReport:
    """Publish a sequence until its end, a KeyboardInterrupt, or a frame without odometry in lockstep.

    Frames with an unusable image are skipped, and their faults are added to `skipped`.

    Raises:
        SequenceError: no frame is usable.
        ReplayError: a topic has no subscriber in time.
    """
    report = PlayReport([], [], [])
    player = _Player(options)
    try:
        player.wait_for_subscribers()
        for frame in itertools.islice(_frames(sequence, options.loop, skipped), options.frames):
            player.wait_until_due(frame.stamp_ns)
            stamp_ns = time.time_ns() if options.restamp else frame.stamp_ns
            report.stamps_ns.append(stamp_ns)
            report.sent_ns.append(time.time_ns())
            player.publish(frame, stamp_ns)
            if options.lockstep:
                report.answered_ns.append(0)
                report.answered_ns[-1] = player.wait_for_answer(stamp_ns)
                if report.unanswered:
                    break
        player.flush()
    except KeyboardInterrupt:
        pass
    finally:
        player.close()
    return report


def _frames(sequence: Sequence, loop: bool, skipped: list[str]) -> Iterator[Frame]:
    """Yield the frames, repeatedly with increasing stamps if `loop`."""
    first, last = sequence.entries[0].stamp_ns, sequence.entries[-1].stamp_ns
    lap_ns = last - first + max((last - first) // max(len(sequence) - 1, 1), 1)
    for lap in itertools.count() if loop else range(1):
        for frame in sequence.readable(skipped if lap == 0 else []):
            yield replace(frame, stamp_ns=frame.stamp_ns + lap * lap_ns)


class _Player:
    """A node with the publishers of one camera, a pair, or a camera with depth."""

    def __init__(self, options: PlayOptions) -> None:
        self._options = options
        self._node = create_node("play", options.namespace)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        sides = ("left/", "right/") if options.mode == "stereo" else ("",)
        self._frame_ids = [f"{side}camera_optical_frame" for side in sides]
        depth = ["depth/image"] if options.mode == "rgbd" else []
        self._infos = [self._node.create_publisher(CameraInfo, f"{side}camera_info", 10) for side in sides]
        self._images = [self._image_publisher(topic) for topic in [*(f"{side}image" for side in sides), *depth]]
        self._answers: dict[int, int] = {}
        if options.lockstep:
            self._node.create_subscription(Odometry, options.lockstep, self._on_answer, QoSProfile(depth=100))
        self._start: tuple[float, int] | None = None
        self._count = 0

    def close(self) -> None:
        """Remove the node."""
        self._executor.shutdown()
        self._node.destroy_node()

    def wait_for_subscribers(self) -> None:
        """Wait until every topic has a subscriber, so that no frame is lost."""
        for publisher in (*self._infos, *self._images):
            if not self._spin_until(lambda p=publisher: p.get_subscription_count() > 0):  # type: ignore[misc]
                raise ReplayError(
                    f"nobody subscribes to {publisher.topic_name} after {self._options.timeout:g} s: start the node "
                    "with the same mode and namespace"
                )
        lockstep = self._options.lockstep
        if lockstep and not self._spin_until(lambda: self._node.count_publishers(lockstep) > 0):
            raise ReplayError(f"nobody publishes {lockstep} after {self._options.timeout:g} s: check --lockstep")
        listeners = self._options.listeners  # besides this node
        if lockstep and not self._spin_until(lambda: self._node.count_subscribers(lockstep) > listeners):
            raise ReplayError(
                f"fewer than {listeners} others subscribe to {lockstep} after {self._options.timeout:g} s: start them, "
                "or lower --listeners"
            )

    def wait_until_due(self, stamp_ns: int) -> None:
        """Sleep until the time of a frame; not in lockstep."""
        options, now = self._options, time.monotonic()
        start_time, start_stamp = self._start = self._start or (now, stamp_ns)
        if options.rate:
            due = start_time + self._count / options.rate
        elif options.lockstep:
            due = now
        else:
            due = start_time + (stamp_ns - start_stamp) * 1e-9 / options.speed
        self._count += 1
        while (rest := due - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=rest)

    def publish(self, frame: Frame, stamp_ns: int) -> None:
        """Publish the calibrations, then the images."""
        infos = [info_from_camera(frame.camera)]
        if self._options.mode == "stereo" and frame.rig is not None:
            infos = [*infos_from_rig(frame.camera, frame.rig)]
        second = {"mono": None, "stereo": frame.right, "rgbd": frame.depth}[self._options.mode]
        make = compressed_from_array if self._options.compressed else image_from_array
        images = [make(array) for array in (frame.image, second) if array is not None]
        outlets = zip((*self._infos, *self._images), (*infos, *images), strict=True)
        for (publisher, message), frame_id in zip(outlets, itertools.cycle(self._frame_ids), strict=False):
            message.header = Header(stamp=time_message(stamp_ns), frame_id=frame_id)
            publisher.publish(message)

    def wait_for_answer(self, stamp_ns: int) -> int:
        """Return the time of arrival of the odometry of a frame, system clock in nanoseconds; 0 after the time-out."""
        self._spin_until(lambda: stamp_ns in self._answers)
        return self._answers.pop(stamp_ns, 0)

    def flush(self) -> None:
        """Wait until the subscribers have acknowledged the last frame."""
        for publisher in self._images:
            publisher.wait_for_all_acked(Duration(seconds=5))

    def _image_publisher(self, topic: str) -> Publisher[Any]:
        if not self._options.compressed:
            return self._node.create_publisher(Image, topic, 10)
        ending = "compressedDepth" if topic == "depth/image" else "compressed"
        return self._node.create_publisher(CompressedImage, f"{topic}/{ending}", 10)

    def _on_answer(self, message: Odometry) -> None:
        self._answers[nanoseconds(message.header.stamp)] = time.time_ns()

    def _spin_until(self, condition: Callable[[], bool]) -> bool:
        """Spin until the condition holds; returns False after the time-out."""
        deadline = time.monotonic() + self._options.timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._executor.spin_once(timeout_sec=0.05)
        return True
