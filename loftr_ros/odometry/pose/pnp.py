"""Camera pose from points of known depth (perspective-n-point)."""

from __future__ import annotations

import cv2
import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.config import MINIMUM_MATCHES
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, homogeneous

# Number of RANSAC iterations.
# numerical: bounds the run time; finds a sample of four inliers among half outliers with 99.8 %.
_ITERATIONS = 100


def perspective_pose(matches: NormalizedMatches, threshold: float) -> tuple[Array, int] | None:
    """Estimate T_a_b by AP3P (Ke and Roumeliotis, CVPR 2017) and RANSAC.

    Args:
        matches: all with depth.
        threshold: largest reprojection error of an inlier, on the plane z = 1.

    Returns:
        (4, 4) pose of camera b in camera a, and its number of inliers; None without a consensus.
    """
    if len(matches) < MINIMUM_MATCHES:
        return None
    found, rotation_vector, position, inliers = cv2.solvePnPRansac(
        homogeneous(matches.a) / matches.inverse_depth[:, None],
        matches.b,
        np.eye(3),
        None,
        iterationsCount=_ITERATIONS,
        reprojectionError=threshold,
        flags=cv2.SOLVEPNP_AP3P,
    )
    if not found or not np.isfinite(rotation_vector).all() or not np.isfinite(position).all():
        return None
    T_b_a = se3.transform(se3.exp_rotation(rotation_vector.ravel()), position.ravel())
    return se3.inverse(T_b_a), len(inliers)
