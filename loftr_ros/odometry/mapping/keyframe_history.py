"""Earlier keyframes for relocalization, when a frame does not match the current one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.matches import FeaturesT
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import COVARIANCE_FLOOR

# Image motion between two keyframes that show almost the same, as a share of the image width: a frame that does not
# match one of them matches neither, and a place is found again within it.
# assumed: seven eighths of the view are in common.
SAME_VIEW = 1 / 8


class RecentKeyframes(Generic[FeaturesT]):
    """A few of the last keyframes on the path to the current one, spaced by image motion."""

    def __init__(self, count: int) -> None:
        """Store up to `count` keyframes."""
        self._keyframes: deque[Keyframe[FeaturesT]] = deque(maxlen=count)  # the latest last
        self.clear()

    def clear(self) -> None:
        """Drop all."""
        self._keyframes.clear()
        self._moved_px = np.inf  # image motion since the latest of them
        self._tried = 0

    def add(self, retired: Keyframe[FeaturesT], moved_px: float, lost: bool) -> None:
        """Store a replaced keyframe if it is far enough from the last one.

        Args:
            retired: the keyframe.
            moved_px: image motion from it to its successor, pixels.
            lost: whether tracking was lost at it; then it is stored in any case, as the last known place.
        """
        if lost or self._moved_px > SAME_VIEW * retired.frame.camera.width:
            self._keyframes.append(retired)
            self._moved_px = 0.0
        self._moved_px += moved_px
        self._tried = 0

    @property
    def stamps_ns(self) -> list[int]:
        """Stamps of the stored keyframes, nanoseconds."""
        return [keyframe.frame.stamp_ns for keyframe in self._keyframes]

    def retain(self, is_known: Callable[[Keyframe[FeaturesT]], bool]) -> None:
        """Drop the keyframes that are not known."""
        known = [keyframe for keyframe in self._keyframes if is_known(keyframe)]
        self._keyframes.clear()
        self._keyframes.extend(known)

    def next(self) -> Keyframe[FeaturesT] | None:
        """Return the next candidate: from the latest to the earliest, cyclically; None without any."""
        if not self._keyframes:
            return None
        self._tried += 1
        return self._keyframes[-1 - (self._tried - 1) % len(self._keyframes)]

    def return_to(self, keyframe: Keyframe[FeaturesT]) -> None:
        """Drop this keyframe, which becomes the current one again, and its successors."""
        while self._keyframes and self._keyframes.pop().frame is not keyframe.frame:
            pass
        self._moved_px, self._tried = np.inf, 0


def relative_to(keyframe: Keyframe[FeaturesT], T_odom_camera: Array, covariance: Array) -> tuple[Array, Array]:
    """Return a pose in odom and its (6, 6) covariance relative to an earlier keyframe of the same path.

    The covariance is that of the path from the keyframe on: the errors before it are common to both poses.
    """
    T_keyframe_camera = se3.inverse(keyframe.T_odom_camera) @ T_odom_camera
    common = se3.composed_covariance(keyframe.T_odom_camera, keyframe.covariance, T_keyframe_camera, np.zeros((6, 6)))
    adjoint = se3.rotation_adjoint(keyframe.T_odom_camera[:3, :3])
    return T_keyframe_camera, se3.symmetric(adjoint.T @ (covariance - common) @ adjoint) + COVARIANCE_FLOOR
