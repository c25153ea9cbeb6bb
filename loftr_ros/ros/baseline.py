"""The distance of the cameras of a pair: by their calibration, else from TF, else by a parameter."""

from __future__ import annotations

from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo

from loftr_ros.odometry.camera import CameraError, stereo_baseline

try:
    import tf2_ros
except ImportError:  # the wheels of ROS do not have it
    tf2_ros = None


class Baseline:
    """Listens to TF only if the calibration does not tell."""

    def __init__(self, node: Node, parameter: float) -> None:
        """Start without asking. `parameter` is in metres, 0 if unknown."""
        self._node = node
        self._parameter = parameter
        self._buffer: Any = None
        self._listener: Any = None

    def close(self) -> None:
        """Stop listening to TF."""
        if self._listener:
            self._listener.unregister()

    def of(self, left: CameraInfo, right: CameraInfo) -> float:
        """Return the baseline in metres; it is negative if the right camera is on the left.

        Raises:
            CameraError: nothing tells it.
        """
        if right.p[3]:
            return stereo_baseline(right.p)
        frames = left.header.frame_id, right.header.frame_id
        by_tf = self._by_tf(*frames)
        if by_tf is not None:
            return by_tf
        if self._parameter:
            return self._parameter
        raise CameraError(
            "nothing tells the distance of the cameras: P[3] of the right camera info is 0, TF does not know "
            f"'{frames[1]}' on '{frames[0]}', and stereo_baseline is 0: calibrate the pair as stereo, publish the "
            "transform, or set stereo_baseline to the metres"
        )

    def _by_tf(self, left: str, right: str) -> float | None:
        # Rectified images often carry the left camera's frame both.
        if tf2_ros is None or left == right:
            return None
        if self._buffer is None:
            self._buffer = tf2_ros.Buffer()
            self._listener = tf2_ros.TransformListener(self._buffer, self._node)
        if not self._buffer.can_transform(left, right, Time()):
            return None
        place = self._buffer.lookup_transform(left, right, Time()).transform.translation
        return float(np.copysign(np.linalg.norm([place.x, place.y, place.z]), place.x))
