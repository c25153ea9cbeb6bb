"""Subscription to wheel odometry, for the metric scale of a single camera."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

from loftr_ros.odometry.scale.wheel_scale import PositionBuffer, is_jump
from loftr_ros.ros.messages.pose import pose_matrix
from loftr_ros.ros.messages.time import nanoseconds
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors import watchdog

# Positions beyond are no robot's, meters; the largest number of a quaternion of about unit length is between these.
_MAX_POSITION, _LARGEST = 1e9, (0.1, 10.0)
# Largest difference of the newest stamps of images and wheels, seconds: of slow processing. Clocks differ by more.
_MAX_OFFSET_S = 5.0
# Time for which a jump is reported, seconds.
_REPORTED_S = 10.0
# Messages between two frames, or before the first one: 20 s at 100 Hz.
_WAITING = 2000


class WheelInput:
    """Converts the poses of the base to positions of the camera.

    Attributes:
        positions: of the camera; accessed by the worker only, see `update`.
    """

    def __init__(self, node: Node, parameters: VoParameters) -> None:
        """Subscribe."""
        self.positions = PositionBuffer()
        self._node = node
        self._timeout, self._max_speed = parameters.input_timeout, parameters.max_speed
        self._newest: tuple[int, NDArray[np.float64]] | None = None
        self._jump: tuple[float, str] | None = None
        self._image_ns: int | None = None
        self._waiting: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=_WAITING)
        self._last = time.monotonic()
        self._subscription = node.create_subscription(
            Odometry, parameters.wheel_odometry_topic, self._on_odometry, qos_profile_sensor_data
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def update(self, T_base_camera: NDArray[np.float64], stamp_ns: int) -> None:
        """Add the positions received so far; called by the worker before each frame.

        Args:
            T_base_camera: (4, 4) extrinsics.
            stamp_ns: of the frame.
        """
        self._image_ns = stamp_ns
        while self._waiting:
            stamp_ns, T_odom_base = self._waiting.popleft()
            self.positions.add(stamp_ns, (T_odom_base @ T_base_camera)[:3, 3])

    def warning(self) -> str | None:
        """Return that no message arrived within `input_timeout`, or that the poses jump, in one sentence, or None."""
        topic, now = self._subscription.topic_name, time.monotonic()
        if self._last <= now - self._timeout:
            return (
                f"no valid wheel odometry on {topic} for {self._timeout:g} s, so the scale is not measured: publish "
                "it, or set wheel_odometry_topic"
            )
        if self._newest and self._image_ns is not None:
            offset_s = 1e-9 * (self._newest[0] - self._image_ns)
            if abs(offset_s) > _MAX_OFFSET_S:
                side = "after" if offset_s > 0 else "before"
                return (
                    f"the wheel odometry on {topic} is stamped {abs(offset_s):.3g} s {side} the images, so the scale "
                    "is not measured: let one clock stamp both"
                )
        if self._jump is None or self._jump[0] < now - _REPORTED_S:
            return None
        hint = watchdog.other_publishers(self._node, topic) or "check that it is in meters, and does not start over"
        return f"the wheel odometry on {topic} jumps {self._jump[1]}, so the scale is not measured across it: {hint}"

    def _on_odometry(self, message: Odometry) -> None:
        p, q = message.pose.pose.position, message.pose.pose.orientation
        position, largest = np.array([p.x, p.y, p.z]), np.abs([q.x, q.y, q.z, q.w]).max()
        if not (np.abs(position).max() < _MAX_POSITION and _LARGEST[0] < largest < _LARGEST[1]):  # also NaN
            return
        self._last, stamp_ns = time.monotonic(), nanoseconds(message.header.stamp)
        self._check_step(stamp_ns, position)
        self._waiting.append((stamp_ns, pose_matrix(message.pose.pose)))

    def _check_step(self, stamp_ns: int, position: NDArray[np.float64]) -> None:
        """Remember a jump since the message before, unless time went back."""
        newest, self._newest = self._newest, (stamp_ns, position)
        if newest is None or stamp_ns <= newest[0]:
            return
        step, duration_ns = position - newest[1], stamp_ns - newest[0]
        if is_jump(duration_ns, step, self._max_speed):
            self._jump = self._last, f"by {np.linalg.norm(step):.3g} m in {1e-9 * duration_ns:.3g} s"
