"""Detects patterns fixed to the camera: matches without image motion while the camera moves.

The dots of an infrared projector, dirt on the lens, an overlay or the robot's own body match at the same pixels in
every frame. A match is fixed if it does not move although depth and motion (or rotation alone, without depth) predict
image motion. Repeated texture does that by chance in one frame, a fixed pattern in the same cells in every frame.

A hood or dirt in both images of a pair has no disparity, either: it appears infinitely far away, where a translation
predicts no image motion. But points at infinity move with the slightest rotation, and no camera moves for several
keyframes without any.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, transfer
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate

# Image motion of a fixed match, at most, and predicted motion, at least, pixels: three standard deviations of a refined
# match, and well above the largest error of an inlier.
_FIXED_PX, _MOVING_PX = 0.5, 4.0
# Number of fixed matches of a fixed cell, and their share of its matches.
_MIN_COUNT, _MIN_CELL_SHARE = 3, 0.5
# Share and number of fixed cells for a warning, of the cells with sufficient predicted motion. Recorded sequences have
# no fixed cells; with a hood or dots 15 to 35 % are fixed.
_MIN_SHARE, _MIN_CELLS = 0.03, 10
# Number of successive motions for a warning of points at infinity that stay fixed, share of the matches, significance
# of their inverse depth, at most, image motion, at most, pixels (0.02 degrees of rotation on KITTI), and median image
# motion of the other matches, at least. KITTI 06 has up to 1.2 % of the matches in single motions, with a hood over
# 15 % of the image at least 3.4 in all, over 30 %, or with dirt, 25.
_MOTIONS, _MIN_SHARE_AT_INFINITY = 6, 0.03
_INFINITY_SIGMAS, _REST_PX, _MIN_REST_MOTION_PX = 3.0, 0.3, 5.0
# Exponential forgetting factor of the counts per motion, so the warning ends after the lens is cleaned.
_FORGETTING = 0.98


class FixedPattern:
    """Counts, for each image cell, the matches predicted to move, and those of them without image motion.

    Attributes:
        share: of fixed matches, among those with sufficient predicted motion, or at infinity; 0 if there are few.
    """

    def __init__(self) -> None:
        """Start without motions."""
        self._size = (0, 0)
        self._predicted, self._fixed = np.zeros(0), np.zeros(0)
        self._shares_at_infinity: deque[float] = deque(maxlen=_MOTIONS)
        self.share = 0.0

    def add_motion(
        self, camera: Camera, matches: Matches, normalized: NormalizedMatches, motion: RelativePoseEstimate
    ) -> None:
        """Add a measured motion: its camera, all matches in pixels, and the same normalized, with depth."""
        if self._size != (camera.width, camera.height):
            self._size, self._predicted, self._fixed = (camera.width, camera.height), np.zeros(0), np.zeros(0)
        predicted = _expected_motion(normalized, motion) > (_MOVING_PX / camera.focal) ** 2
        moved_x, moved_y = (matches.points_b - matches.points_a).T
        moved_squared = moved_x**2 + moved_y**2
        self._add_points_at_infinity(normalized, moved_squared)
        fixed = predicted & (moved_squared < _FIXED_PX**2)
        size = max(len(self._predicted), int(matches.cell_a.max(initial=-1)) + 1)
        self._predicted = _accumulated(self._predicted, matches.cell_a[predicted], size)
        self._fixed = _accumulated(self._fixed, matches.cell_a[fixed], size)
        self.share = max(self._share_of_cells(), self._share_at_infinity())

    def _add_points_at_infinity(self, normalized: NormalizedMatches, moved_squared: Array) -> None:
        """Add the share of the matches that stay fixed at infinity, unless the others do not move, either."""
        at_infinity = normalized.has_depth & (normalized.inverse_depth < _INFINITY_SIGMAS * normalized.sigma)
        others = moved_squared[~at_infinity]
        if len(others) and np.median(others) > _MIN_REST_MOTION_PX**2:
            self._shares_at_infinity.append(float((at_infinity & (moved_squared < _REST_PX**2)).mean()))

    def _share_at_infinity(self) -> float:
        """Median share of fixed matches at infinity, if all recent motions have some; else 0."""
        shares = self._shares_at_infinity
        is_lasting = len(shares) == _MOTIONS and min(shares) > _MIN_SHARE_AT_INFINITY
        return float(np.median(shares)) if is_lasting else 0.0

    def _share_of_cells(self) -> float:
        is_significant = self._predicted >= _MIN_COUNT
        fixed = is_significant & (self._fixed >= _MIN_COUNT) & (self._fixed > _MIN_CELL_SHARE * self._predicted)
        count = np.count_nonzero(fixed)
        return count / np.count_nonzero(is_significant) if count >= _MIN_CELLS else 0.0

    @property
    def warning(self) -> InputWarning | None:
        """The warning of a fixed pattern; None without one."""
        if self.share < _MIN_SHARE:
            return None
        text = (
            f"{100 * self.share:.0f} % of the matches stay fixed in the image while the rest moves: an infrared "
            "projector, dirt on the lens, an overlay or the robot's own body; switch the projector off, clean the "
            "lens, or give a mask image"
        )
        return InputWarning(InputFault.FIXED_PATTERN, text)


def _expected_motion(normalized: NormalizedMatches, motion: RelativePoseEstimate) -> Array:
    """Return the (N,) squared predicted motions of normalized points, by depth and motion or rotation alone."""
    T, a = motion.T_keyframe_camera, normalized.columns_a
    x, y, z = transfer(a, np.where(normalized.has_depth, normalized.inverse_depth, 0.0), T)
    z = np.maximum(z, 1e-3)
    return np.asarray((x / z - a[0]) ** 2 + (y / z - a[1]) ** 2)


def _accumulated(counts: Array, cells: NDArray[np.int64], size: int) -> Array:
    added = np.bincount(cells, minlength=size).astype(np.float64)
    added[: len(counts)] += _FORGETTING * counts
    return added
