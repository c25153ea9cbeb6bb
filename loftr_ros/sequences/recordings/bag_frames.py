"""Fixed transforms between the frames of a bag, from /tf_static and /tf."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3

STATIC_TOPIC, DYNAMIC_TOPIC = "/tf_static", "/tf"
_MAX_CHANGE = 1e-6  # of a transform that is fixed, meters and radians


class FixedFrames:
    """The graph of the fixed transforms: those of /tf_static, and those of /tf that never change, as of ROS 1."""

    def __init__(self) -> None:
        """Start with none."""
        self._neighbors: dict[str, dict[str, Array]] = {}
        self._moving: set[tuple[str, str]] = set()

    def add_static(self, message: Any) -> None:
        """Take a message of /tf_static; of each transform the last holds."""
        for parent, child, T_parent_child in _transforms(message):
            self._connect(parent, child, T_parent_child)

    def add_dynamic(self, message: Any) -> None:
        """Take a message of /tf."""
        for parent, child, T_parent_child in _transforms(message):
            known = self._neighbors.get(parent, {}).get(child)
            if (parent, child) in self._moving:
                continue
            if known is None:
                self._connect(parent, child, T_parent_child)
            elif not np.allclose(known, T_parent_child, rtol=0, atol=_MAX_CHANGE):
                self._moving.add((parent, child))
                del self._neighbors[parent][child], self._neighbors[child][parent]

    def _connect(self, parent: str, child: str, T_parent_child: Array) -> None:
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


def _transforms(message: Any) -> Iterator[tuple[str, str, Array]]:
    """Yield parent, child and T_parent_child of the valid transforms of a message."""
    for transform in message.transforms:
        T_parent_child = matrix(transform.transform.translation, transform.transform.rotation)
        if T_parent_child is not None:
            yield frame_name(transform.header.frame_id), frame_name(transform.child_frame_id), T_parent_child


def frame_name(frame: str) -> str:
    """Return the name of a frame without the slash with which it begins in ROS 1."""
    return frame.lstrip("/")


def matrix(position: Any, orientation: Any) -> Array | None:
    """Return the (4, 4) pose of a message; None if it has numbers that are not finite or a quaternion of 0."""
    quaternion = np.array([orientation.x, orientation.y, orientation.z, orientation.w])
    translation = np.array([position.x, position.y, position.z])
    with np.errstate(over="ignore"):  # numbers of any size
        norm = np.linalg.norm(quaternion)
    if not (np.isfinite(translation).all() and np.isfinite(norm) and norm > 1e-6):
        return None
    return se3.from_quaternion(quaternion, translation)
