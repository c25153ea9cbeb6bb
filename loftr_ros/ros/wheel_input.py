"""Subscribes to the odometry of the wheels."""

from __future__ import annotations

import time

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

from loftr_ros.odometry.wheel_odometry import WheelOdometry
from loftr_ros.ros.messages import nanoseconds
from loftr_ros.ros.parameters import VoParameters


class WheelInput:
    """Collects the positions that the wheels report."""

    def __init__(self, node: Node, parameters: VoParameters) -> None:
        """Subscribe."""
        self.positions = WheelOdometry()
        self._node = node
        self._timeout = parameters.input_timeout
        self._last = time.monotonic()
        self._subscription = node.create_subscription(
            Odometry, parameters.wheel_odometry_topic, self._on_odometry, qos_profile_sensor_data
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def problem(self) -> str | None:
        """Say in one sentence that nothing came since `input_timeout`, or None."""
        if self._last > time.monotonic() - self._timeout:
            return None
        return (
            f"no wheel odometry on {self._subscription.topic_name} for {self._timeout:g} s, so the scale is not "
            "measured: publish it, or set wheel_odometry_topic"
        )

    def _on_odometry(self, message: Odometry) -> None:
        p = message.pose.pose.position
        position = np.array([p.x, p.y, p.z])
        if np.isfinite(position).all():
            self._last = time.monotonic()
            self.positions.add(nanoseconds(message.header.stamp), position)
