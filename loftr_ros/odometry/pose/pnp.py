"""Pose of a camera from points whose depth is known (perspective-n-point)."""

from __future__ import annotations

import cv2
import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, homogeneous

_ITERATIONS = 100
_MINIMUM = 8


def perspective_pose(near: NormalizedMatches, threshold: float) -> tuple[Array, int] | None:
    """Return the (4, 4) T_a_b that most of the matches agree with, and how many: three points each (AP3P) and RANSAC.

    Args:
        near: matches of which all have depth.
        threshold: how near an inlier is to where the pose puts it, on the plane z = 1.

    Returns:
        None if the matches are too few, or agree on nothing.
    """
    if len(near) < _MINIMUM:
        return None
    found, turn, position, inliers = cv2.solvePnPRansac(
        homogeneous(near.a) / near.inverse_depth[:, None],
        near.b,
        np.eye(3),
        None,
        iterationsCount=_ITERATIONS,
        reprojectionError=threshold,
        flags=cv2.SOLVEPNP_AP3P,
    )
    if not found or not np.isfinite(turn).all() or not np.isfinite(position).all():
        return None
    T_b_a = se3.transform(se3.exp_rotation(turn.ravel()), position.ravel())
    return se3.inverse(T_b_a), len(inliers)
