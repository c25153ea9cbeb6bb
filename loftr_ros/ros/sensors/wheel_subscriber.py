"""Subscription to wheel odometry, for the metric scale of a single camera."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

from loftr_ros.odometry.scale.wheel_scale import PositionBuffer
from loftr_ros.ros.messages.pose import pose_matrix
from loftr_ros.ros.messages.time import nanoseconds
from loftr_ros.ros.parameters.table import VoParameters

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
        self._timeout = parameters.input_timeout
        self._waiting: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=_WAITING)
        self._last = time.monotonic()
        self._subscription = node.create_subscription(
            Odometry, parameters.wheel_odometry_topic, self._on_odometry, qos_profile_sensor_data
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def update(self, T_base_camera: NDArray[np.float64]) -> None:
        """Add the positions received so far, by these extrinsics (4, 4); called by the worker before each frame."""
        while self._waiting:
            stamp_ns, T_odom_base = self._waiting.popleft()
            self.positions.add(stamp_ns, (T_odom_base @ T_base_camera)[:3, 3])

    def warning(self) -> str | None:
        """Return that no message arrived within `input_timeout`, in one sentence, or None."""
        if self._last > time.monotonic() - self._timeout:
            return None
        return (
            f"no valid wheel odometry on {self._subscription.topic_name} for {self._timeout:g} s, so the scale is not "
            "measured: publish it, or set wheel_odometry_topic"
        )

    def _on_odometry(self, message: Odometry) -> None:
        p, q = message.pose.pose.position, message.pose.pose.orientation
        numbers = np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])
        if np.isfinite(numbers).all() and numbers[3:].any():
            self._last = time.monotonic()
            self._waiting.append((nanoseconds(message.header.stamp), pose_matrix(message.pose.pose)))
