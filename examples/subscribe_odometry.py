"""Subscribe to the odometry of a running node: subscribe_odometry.py [--ros-args -r odometry:=/robot1/loftr/odometry].

Prints position, standard deviation and speed of each message; stop with Ctrl-C.
"""

import math

import rclpy
from nav_msgs.msg import Odometry
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node


class OdometryListener(Node):
    """Prints the odometry of `vo_node`."""

    def __init__(self) -> None:
        """Subscribe."""
        super().__init__("odometry_listener", namespace="loftr")
        self.create_subscription(Odometry, "odometry", self.show, 10)

    def show(self, message: Odometry) -> None:
        """Print one message."""
        position, velocity = message.pose.pose.position, message.twist.twist.linear
        variance = max(message.pose.covariance[0], message.pose.covariance[7], message.pose.covariance[14])
        speed = math.hypot(velocity.x, velocity.y, velocity.z)
        print(
            f"{message.header.frame_id} -> {message.child_frame_id}: {position.x:.3f} {position.y:.3f} "
            f"{position.z:.3f} m, sigma {math.sqrt(variance):.3f} m, {speed:.2f} m/s",
            flush=True,
        )


try:
    with rclpy.init():
        rclpy.spin(OdometryListener())
except (KeyboardInterrupt, ExternalShutdownException):
    pass
