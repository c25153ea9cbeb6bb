"""Matches that stay where they are in the image although the camera moves: what is fixed to the camera.

The dots of an infrared projector, dirt on the lens, an overlay or the robot's own body match in the same place again
and again. Where depth and motion (or the rotation alone, without depth) put a match well away from where it started,
one that did not move at all contradicts them. Repeated texture does so by chance, in one place in one frame; what is
fixed does it in the same cells of the image frame after frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, transfer
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate

# A match that moved by less than this is fixed, and one that should have moved by more contradicts that, pixels: three
# standard deviations of a polished match, and well beyond the largest error of an inlier.
_FIXED_PX, _MOVING_PX = 0.5, 4.0
# A cell is fixed if at least this number of its matches were, and this share of them.
_TIMES, _MOST = 3, 0.5
# Least share and number of fixed cells for a warning, among the cells with evidence. On the recorded sequences no cell
# is fixed; behind a hood or dots 15 to 35 % are.
_LEAST_SHARE, _LEAST_CELLS = 0.03, 10
# Exponential forgetting of the counts per motion, so that the warning ends once the lens is cleaned.
_FADING = 0.98


class FixedPattern:
    """Counts, for each cell of the image, how often its match stayed although it should have moved."""

    def __init__(self) -> None:
        """Start without any evidence."""
        self._size = (0, 0)
        self._told, self._fixed = np.zeros(0), np.zeros(0)

    def add_motion(
        self, camera: Camera, matches: Matches, rays: NormalizedMatches, motion: RelativePoseEstimate
    ) -> None:
        """Take a motion that was measured: the camera, all matches, and the same with depth."""
        if self._size != (camera.width, camera.height):
            self._size, self._told, self._fixed = (camera.width, camera.height), np.zeros(0), np.zeros(0)
        tells = _expected_motion(rays, motion) > (_MOVING_PX / camera.focal) ** 2
        moved_x, moved_y = (matches.points_b - matches.points_a).T
        stays = tells & (moved_x**2 + moved_y**2 < _FIXED_PX**2)
        size = max(len(self._told), int(matches.cell_a.max(initial=-1)) + 1)
        self._told, self._fixed = (
            _faded(counts, matches.cell_a[mask], size) for counts, mask in ((self._told, tells), (self._fixed, stays))
        )

    @property
    def share(self) -> float:
        """Share of the cells that could tell which are fixed."""
        could_tell = self._told >= _TIMES
        fixed = could_tell & (self._fixed >= _TIMES) & (self._fixed > _MOST * self._told)
        return float(fixed.sum() / could_tell.sum()) if fixed.sum() >= _LEAST_CELLS else 0.0

    @property
    def warning(self) -> InputWarning | None:
        """The pattern that is fixed to the camera, if there is one."""
        if self.share < _LEAST_SHARE:
            return None
        text = (
            f"{100 * self.share:.0f} % of the matches stay fixed in the image while the rest moves: an infrared "
            "projector, dirt on the lens, an overlay or the robot's own body; switch the projector off, clean the "
            "lens, or give a mask image"
        )
        return InputWarning(InputFault.FIXED_PATTERN, text)


def _expected_motion(rays: NormalizedMatches, motion: RelativePoseEstimate) -> NDArray[np.float64]:
    """Return by how much depth and motion, or rotation alone, move (N,) matches on the plane z = 1, squared."""
    T, a = motion.T_keyframe_camera, rays.columns_a
    x, y, z = transfer(a, np.nan_to_num(rays.inverse_depth), T)
    z = np.maximum(z, 1e-3)
    return np.asarray((x / z - a[0]) ** 2 + (y / z - a[1]) ** 2)


def _faded(counts: NDArray[np.float64], cells: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    added = np.bincount(cells, minlength=size).astype(np.float64)
    added[: len(counts)] += _FADING * counts
    return added
