"""Where to look when a frame does not match the keyframe: a few earlier keyframes that show something else."""

from __future__ import annotations

from collections import deque
from typing import Generic

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.matches import FeaturesT
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import COVARIANCE_FLOOR

# The image has to move by this share of its width between two keyframes that are kept: the next one of a camera that
# moves on shows almost the same, and a frame that does not match one of them matches neither.
_SPACING = 0.125


class RecentKeyframes(Generic[FeaturesT]):
    """The last keyframes of the path that leads to the present one, a few, apart from each other."""

    def __init__(self, count: int) -> None:
        """Keep up to `count` of them."""
        self._keyframes: deque[Keyframe[FeaturesT]] = deque(maxlen=count)  # the latest last
        self.clear()

    def clear(self) -> None:
        """Forget them all."""
        self._keyframes.clear()
        self._moved_px = np.inf  # how far the image has moved since the latest of them
        self._tried = 0

    def add(self, retired: Keyframe[FeaturesT], moved_px: float, lost: bool) -> None:
        """Consider a keyframe that is replaced.

        Args:
            retired: the keyframe.
            moved_px: how far the image of its successor has moved from it.
            lost: it is replaced because it was lost from sight, so it is the last place that was known.
        """
        if lost or self._moved_px > _SPACING * retired.frame.camera.width:
            self._keyframes.append(retired)
            self._moved_px = 0.0
        self._moved_px += moved_px
        self._tried = 0

    def next(self) -> Keyframe[FeaturesT] | None:
        """Return the one whose turn it is to be tried, from the latest to the earliest and round again."""
        if not self._keyframes:
            return None
        self._tried += 1
        return self._keyframes[-1 - (self._tried - 1) % len(self._keyframes)]

    def return_to(self, keyframe: Keyframe[FeaturesT]) -> None:
        """Forget those that came after this one, which is the present keyframe again."""
        while self._keyframes and self._keyframes.pop().frame is not keyframe.frame:
            pass
        self._moved_px, self._tried = np.inf, 0


def seen_from(keyframe: Keyframe[FeaturesT], T_odom_camera: Array, covariance: Array) -> tuple[Array, Array]:
    """Return a pose in odom and its (6, 6) covariance relative to an earlier keyframe of the same path.

    The covariance accumulated along the path from the keyframe on; what came before is common to both poses.
    """
    T_keyframe_camera = se3.inverse(keyframe.T_odom_camera) @ T_odom_camera
    common = se3.composed_covariance(keyframe.T_odom_camera, keyframe.covariance, T_keyframe_camera, np.zeros((6, 6)))
    turn = np.kron(np.eye(2), keyframe.T_odom_camera[:3, :3])
    return T_keyframe_camera, se3.symmetric(turn.T @ (covariance - common) @ turn) + COVARIANCE_FLOOR
