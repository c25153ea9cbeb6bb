"""Detects a moving object that fills the view of a stereo pair: all tracked points are on one plane, the others lost.

If an object moves in most of the view, its motion is measured in place of the camera's, and nothing in the matches
tells it. But the pair measures the depth of the whole view at one time, the static scene at its margins included. Those
points are found in no later image where the measured motion predicts them, unlike the points of the object around them.
In a static scene points beside the plane are found as often as those on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.subsampling import subsampled
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, homogeneous, transfer
from loftr_ros.odometry.geometry.plane import fit_plane
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe

# Inverse depths off the plane: by more than this many standard deviations, and this share.
_OFF_SIGMAS, _OFF_SHARE = 5.0, 0.15
# Number and share of points beside the plane, and share of them that is found, at most: 0.03 beside a truck, 0.1 to 0.7
# on KITTI 06, where the other points are beside a plane that less than half of those on it are found of, too.
_MIN_POINTS, _MIN_SHARE, _MAX_FOUND, _MIN_FOUND_ON_PLANE = 25, 0.03, 0.1, 0.5
# Numbers of points of the pair, and of inliers for the plane, that are used, to bound the cost.
_MAX_POINTS, _MAX_INLIERS = 2000, 300
# Number of successive motions for a warning.
_MIN_MOTIONS = 2
# Margin of the image within which points may be found, pixels.
_MARGIN_PX = 8.0


class HiddenScene:
    """Counts successive motions that only the points on one plane follow.

    Attributes:
        share: of the points of the pair beside that plane, at the last such motion.
    """

    def __init__(self) -> None:
        """Start without pairs."""
        self._stamp_ns = -1
        self._points, self._cells = np.zeros((0, 2), np.float32), np.zeros(0, np.int64)
        self._motions = 0
        self.share = 0.0

    def add_pair(self, frame: Frame, matches: Matches) -> None:
        """Add a stereo pair and its matches, left to right."""
        step = max(-(-len(matches) // _MAX_POINTS), 1)
        self._stamp_ns, self._points, self._cells = frame.stamp_ns, matches.points_a[::step], matches.cell_a[::step]

    def add_motion(
        self,
        keyframe: Keyframe[object],
        frame: Frame,
        matches: Matches,
        normalized: NormalizedMatches,
        T_keyframe_camera: Array,
        inliers: NDArray[np.bool_],
        is_general: bool,
    ) -> None:
        """Add a motion, or none.

        Args:
            keyframe: image a of the matches, with its depth.
            frame: image b.
            matches: N matches.
            normalized: the same, normalized, with depth.
            T_keyframe_camera: (4, 4) measured motion.
            inliers: (N,) bool, those that follow it.
            is_general: whether no homography explains them.
        """
        if keyframe.frame.stamp_ns != self._stamp_ns:
            return
        if is_general != self.is_present:
            if is_general:  # a scene with relief hides nothing
                self._motions = 0
            return  # and an object that is present may hide the rest completely by now
        share = self._share_lost(keyframe, frame, matches, normalized, T_keyframe_camera, inliers)
        self._motions = self._motions + 1 if share > 0 else 0
        self.share = share or self.share

    @property
    def is_present(self) -> bool:
        """Whether a moving object may fill the view."""
        return self._motions >= _MIN_MOTIONS

    @property
    def warning(self) -> InputWarning | None:
        """The warning of such an object; None without one."""
        if not self.is_present:
            return None
        text = (
            f"only points on one plane follow the measured motion, and not the {self.share:.0%} of the points of the "
            "stereo pair that are beside it: a moving object may fill most of the view"
        )
        return InputWarning(InputFault.MOVING_OBJECT, text)

    def _share_lost(
        self,
        keyframe: Keyframe[object],
        frame: Frame,
        matches: Matches,
        normalized: NormalizedMatches,
        T_keyframe_camera: Array,
        inliers: NDArray[np.bool_],
    ) -> float:
        """Return the share of the points of the pair beside the plane of the inliers, 0 if they follow the motion."""
        rho, sigma = keyframe.depths.at(self._cells)
        with_depth = subsampled(inliers & normalized.has_depth, _MAX_INLIERS)
        if len(with_depth) < _MIN_POINTS or np.count_nonzero(np.isfinite(rho)) < _MIN_POINTS:
            return 0.0
        a = homogeneous(keyframe.frame.camera.normalize(self._points)).T
        on_plane = fit_plane(normalized.columns_a[:, with_depth], normalized.inverse_depth[with_depth]) @ a
        off = np.abs(rho - on_plane) > np.maximum(_OFF_SIGMAS * sigma, _OFF_SHARE * np.abs(on_plane))
        found = _is_in(self._cells, matches.cell_a[inliers])
        # Before the cost of visibility: few of the points that are found are not visible.
        if np.count_nonzero(off) < _MIN_POINTS or found[off].mean() > 2.0 * _MAX_FOUND:
            return 0.0
        visible = np.isfinite(rho) & _is_visible(frame, a, rho, T_keyframe_camera)
        off &= visible
        if off.sum() < max(_MIN_POINTS, _MIN_SHARE * visible.sum()):
            return 0.0
        on = visible & ~off
        is_lost = found[off].mean() <= _MAX_FOUND and found[on].sum() >= _MIN_FOUND_ON_PLANE * on.sum()
        return float(off.sum() / visible.sum()) if is_lost else 0.0


def _is_in(cells: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) whether cells are among others: `np.isin` by a table instead of sorting."""
    table = np.zeros(max(int(cells.max(initial=0)), int(others.max(initial=0))) + 1, bool)
    table[others] = True
    return table[cells]


def _is_visible(frame: Frame, a: Array, rho: Array, T_a_b: Array) -> NDArray[np.bool_]:
    """(N,) whether (3, N) points of image a with inverse depth are predicted well within image b."""
    in_b = transfer(a, np.nan_to_num(rho), T_a_b).T
    in_front = in_b[:, 2] > 0.1
    pixels = frame.camera.project(np.where(in_front[:, None], in_b, (0.0, 0.0, 1.0)))
    size = np.array([frame.camera.width, frame.camera.height])
    return np.asarray(in_front & ((pixels > _MARGIN_PX) & (pixels < size - _MARGIN_PX)).all(axis=1))
