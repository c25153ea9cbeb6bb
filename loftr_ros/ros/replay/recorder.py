"""Recording of odometry messages as a trajectory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message

from loftr_ros.evaluation.trajectory import Trajectory, write_tum
from loftr_ros.output import writing
from loftr_ros.ros.initialization import create_node
from loftr_ros.ros.messages.pose import pose_matrix
from loftr_ros.ros.messages.time import nanoseconds
from loftr_ros.ros.replay.reports import RecordReport, ReplayError
from loftr_ros.ros.transforms.frames import camera_pose
from loftr_ros.sequences.recordings.bag_writer import BagWriter, writing_bag


@dataclass(frozen=True)
class RecordOptions:
    """Options of the recording.

    Attributes:
        topic: nav_msgs/Odometry.
        frames: number of messages to record; None: no limit.
        timeout: seconds without a message after which the recording ends; None: no limit.
        bag: .mcap to write the messages to, at their times of arrival.
        T_base_camera: (4, 4) extrinsics, to write the poses of the camera, T_odom_camera in optical frames; None writes
            those of the base, T_odom_base.
    """

    topic: str
    frames: int | None = None
    timeout: float | None = None
    bag: Path | None = None
    T_base_camera: NDArray[np.float64] | None = None


def record(
    options: RecordOptions, add: Callable[[int, NDArray[np.float64]], None] | None = None
) -> tuple[Trajectory, RecordReport]:
    """Record messages until a limit of the options or a KeyboardInterrupt.

    Args:
        options: of the recording.
        add: receives stamp and pose of each message at once.

    Raises:
        ReplayError: no message arrived.
        OutputError: the bag cannot be written.
    """
    with ExitStack() as stack:
        # The bag is begun with the first message, so that a recording of nothing replaces no file.
        return _record(options, add, cache(lambda path: stack.enter_context(writing_bag(path))))


def _record(
    options: RecordOptions,
    add: Callable[[int, NDArray[np.float64]], None] | None,
    begin_bag: Callable[[Path], BagWriter],
) -> tuple[Trajectory, RecordReport]:
    T = options.T_base_camera
    stamps: list[int] = []
    arrivals: list[int] = []
    poses: list[NDArray[np.float64]] = []

    def on_message(message: Odometry) -> None:
        arrivals.append(time.time_ns())
        pose = pose_matrix(message.pose.pose)
        stamps.append(nanoseconds(message.header.stamp))
        poses.append(pose if T is None else camera_pose(pose, T))
        if add is not None:
            add(stamps[-1], poses[-1])
        if options.bag is not None:
            bag = begin_bag(options.bag)
            bag.write_serialized(options.topic, "nav_msgs/Odometry", arrivals[-1], serialize_message(message))

    node = create_node("record")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        subscription = None
        last_count, last_time = 0, time.monotonic()
        while options.frames is None or len(stamps) < options.frames:
            executor.spin_once(timeout_sec=0.1)
            if subscription is None and node.count_publishers(options.topic):
                # Only after discovery, which can take seconds: a player that waits for this subscription may start now,
                # and no message is lost.
                subscription = node.create_subscription(Odometry, options.topic, on_message, QoSProfile(depth=1000))
            if len(stamps) > last_count:
                last_count, last_time = len(stamps), time.monotonic()
            elif options.timeout is not None and time.monotonic() - last_time > options.timeout:
                break
    except KeyboardInterrupt:
        pass
    finally:
        executor.shutdown()
        node.destroy_node()
    if not stamps:
        raise ReplayError(f"no odometry arrived on {options.topic}: is the node active, and does it get images?")
    frame = "base in odom" if T is None else "camera in optical odom"
    return Trajectory(np.array(stamps), np.array(poses)), RecordReport(options.topic, frame, stamps, arrivals)


def write_trajectory(path: Path, trajectory: Trajectory) -> None:
    """Write the trajectory in TUM format. Raises OutputError."""
    with writing(path) as part:
        write_tum(part, trajectory)
