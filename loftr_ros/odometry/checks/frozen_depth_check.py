"""A depth image that stays the same while the camera moves: its driver repeats it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.motion import Motion
from loftr_ros.odometry.rays import RayMatches

# So many motions in a row must repeat the depth image of the keyframe; every so many pixels are compared.
_LEAST_MOTIONS, _EVERY = 3, 8
# Depth images without noise, of a simulated wall that the camera moves along, are all the same. So the motion must
# change one in ten depths by more than this share.
_LEAST_CHANGE, _CHANGED = 0.02, 90.0


class FrozenDepthCheck:
    """Counts repeated depth images."""

    def __init__(self) -> None:
        """Start with none."""
        self._repeated = 0

    def add_motion(
        self,
        points_b: NDArray[np.float32],
        rays: RayMatches,
        depths: tuple[NDArray[np.float32], NDArray[np.float32]],
        motion: Motion,
    ) -> None:
        """Take the motion between a keyframe and a frame.

        Args:
            points_b: (N, 2) of the frame, pixels.
            rays: the same matches, with the depth in the keyframe.
            depths: (H, W) depth images of both, metres.
            motion: between them.
        """
        a, b = (depth[::_EVERY, ::_EVERY] for depth in depths)
        if not np.array_equal(a, b):
            self._repeated = 0
        elif _change(points_b, rays, depths[1], motion) > _LEAST_CHANGE:
            self._repeated += 1

    @property
    def warning(self) -> InputWarning | None:
        """Whether the depth image stands still."""
        if self._repeated < _LEAST_MOTIONS:
            return None
        text = (
            f"the depth image has stayed exactly the same over {self._repeated} motions of the camera: its driver "
            "repeats an old one; restart it"
        )
        return InputWarning(InputFault.FROZEN_DEPTH, text)


def _change(points_b: NDArray[np.float32], rays: RayMatches, depth: NDArray[np.float32], motion: Motion) -> float:
    """Return the share by which one in ten depths, at least, should differ from the depth image of the frame."""
    used = motion.inliers & rays.known & (rays.inverse_depth > 0)
    x, y = np.clip(np.rint(points_b[used]).astype(int), 0, (depth.shape[1] - 1, depth.shape[0] - 1)).T
    seen, rho, T = depth[y, x], rays.inverse_depth[used], motion.T_keyframe_camera
    expected = T[:3, 2] @ (rays.columns_a[:, used] / rho - T[:3, 3:])
    good = (seen > 0) & np.isfinite(seen)
    return float(np.percentile(np.abs(expected[good] / seen[good] - 1.0), _CHANGED)) if good.any() else 0.0
