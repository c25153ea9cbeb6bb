"""Transforms from TF, listened to no longer than needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time
from scipy.spatial.transform import Rotation

from loftr_ros.odometry.geometry import se3

try:
    import tf2_ros
except ImportError:  # the wheels of ROS do not have it
    tf2_ros = None


def is_installed() -> bool:
    """Return whether tf2_ros is installed."""
    return tf2_ros is not None


class TfLookup:
    """Listens to TF from the start."""

    def __init__(self, node: Node) -> None:
        """Subscribe to moving and to static transforms."""
        self._node = node
        self._buffer: Any = tf2_ros.Buffer()
        self._listener: Any = tf2_ros.TransformListener(self._buffer, node)
        self._hears_moving = True

    def find(self, target: str, source: str) -> NDArray[np.float64] | None:
        """Return the latest T_target_source (4, 4), or None if TF does not know it."""
        if not self._buffer.can_transform(target, source, Time()):
            return None
        transform = self._buffer.lookup_transform(target, source, Time()).transform
        p, q = transform.translation, transform.rotation
        return se3.transform(Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), [p.x, p.y, p.z])

    def keep_static(self) -> None:
        """Unsubscribe from /tf, which takes a good part of a core on a busy robot; /tf_static is still listened to."""
        if self._hears_moving:
            self._hears_moving = False
            self._node.destroy_subscription(self._listener.tf_sub)

    def close(self) -> None:
        """Unsubscribe."""
        self._listener.unregister()
