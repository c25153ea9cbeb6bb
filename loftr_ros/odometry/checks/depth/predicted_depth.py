"""Depth images at the end of a motion, and the depth that keyframe and motion predict there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.subsampling import subsampled
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate

# Bounds of the number of points.
_MIN_POINTS, _MAX_POINTS = 25, 300
# Image motion of a point, at least, pixels: a pattern fixed to the camera, such as an overlay, has the depth of the
# scene behind it, which changes.
_MIN_MOTION_PX = 1.0


def measured_by_predicted(
    depth: NDArray[np.float32], matches: Matches, normalized: NormalizedMatches, motion: RelativePoseEstimate
) -> Array | None:
    """Return (N,) ratios of measured and predicted depth of inliers that moved; None for too few with both.

    Args:
        depth: (H, W) depth image of image b, meters.
        matches: of the motion.
        normalized: the same, with the depth in image a.
        motion: from a to b.
    """
    some = subsampled(motion.inliers, _MAX_POINTS)
    points_b = matches.points_b[some]
    moved_x, moved_y = (points_b - matches.points_a[some]).T
    T, rho = motion.T_keyframe_camera, normalized.inverse_depth[some]
    column, row = np.rint(points_b).astype(int).T
    height, width = depth.shape
    measured = depth[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    with np.errstate(divide="ignore", invalid="ignore"):
        predicted = T[:3, 2] @ normalized.columns_a[:, some] / rho - T[:3, 2] @ T[:3, 3]
        ratios: Array = measured / predicted
    is_moving = np.maximum(np.abs(moved_x), np.abs(moved_y)) > _MIN_MOTION_PX
    ratios = ratios[(ratios > 0) & np.isfinite(ratios) & is_moving]
    return ratios if len(ratios) >= _MIN_POINTS else None
