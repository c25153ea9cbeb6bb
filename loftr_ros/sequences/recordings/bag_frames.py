"""Fixed transforms between the frames of a bag, from /tf_static."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3

STATIC_TOPIC, DYNAMIC_TOPIC = "/tf_static", "/tf"


class FixedFrames:
    """The graph of the fixed transforms."""

    def __init__(self, messages: Iterable[Any]) -> None:
        """Take messages of /tf_static; of each transform the last holds."""
        self._neighbors: dict[str, dict[str, Array]] = {}
        for transform in (transform for message in messages for transform in message.transforms):
            parent, child = frame_name(transform.header.frame_id), frame_name(transform.child_frame_id)
            T_parent_child = matrix(transform.transform.translation, transform.transform.rotation)
            if T_parent_child is not None:
                self._neighbors.setdefault(parent, {})[child] = T_parent_child
                self._neighbors.setdefault(child, {})[parent] = se3.inverse(T_parent_child)

    def find(self, a: str, b: str) -> Array | None:
        """Return T_a_b (4, 4), or None if nothing connects the frames."""
        reached = {frame_name(a): np.eye(4)}
        queue = deque(reached)
        while queue and frame_name(b) not in reached:
            frame = queue.popleft()
            for other, T_frame_other in self._neighbors.get(frame, {}).items():
                if other not in reached:
                    reached[other] = reached[frame] @ T_frame_other
                    queue.append(other)
        return reached.get(frame_name(b))


def frame_name(frame: str) -> str:
    """Return the name of a frame without the slash with which it begins in ROS 1."""
    return frame.lstrip("/")


def matrix(position: Any, orientation: Any) -> Array | None:
    """Return the (4, 4) pose of a message; None if it has numbers that are not finite or a quaternion of 0."""
    quaternion = np.array([orientation.x, orientation.y, orientation.z, orientation.w])
    translation = np.array([position.x, position.y, position.z])
    norm = np.linalg.norm(quaternion)
    if not (np.isfinite(translation).all() and np.isfinite(norm) and norm > 1e-6):
        return None
    return se3.transform(Rotation.from_quat(quaternion).as_matrix(), translation)
