"""Relative pose of two images from their matches alone: what the odometry does where no depth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.pose.estimator import estimate_relative_pose
from loftr_ros.odometry.pose.two_view import TwoViewGeometry

# Two images that have little in common are what one asks about; nothing goes on from a wrong answer.
_CONFIG = OdometryConfig(min_inlier_share=0.1)


@dataclass(frozen=True)
class RelativePose:
    """Pose of camera b in camera a, optical frames; the length of the translation is unknown.

    Attributes:
        geometry: what the matches can tell.
        T_a_b: (4, 4); its translation is a unit vector, or zero where the geometry is ROTATION.
        inliers: (N,) bool, matches that agree with the pose.
        parallax_px: median image motion of the inliers that rotation does not explain, pixels.
        noise_px: standard deviation of the inliers' coordinates that the residuals show, pixels.
    """

    geometry: TwoViewGeometry
    T_a_b: Array
    inliers: NDArray[np.bool_]
    parallax_px: float
    noise_px: float


def relative_pose(
    matches: Matches, camera_a: Camera, camera_b: Camera | None = None, config: OdometryConfig | None = None
) -> RelativePose | None:
    """Estimate the relative pose: essential matrix by MAGSAC++, then refinement over all matches.

    Args:
        matches: N matches.
        camera_a: that took image a.
        camera_b: that took image b, if it is another one.
        config: thresholds and noise; its mode does not matter. By default that of the odometry, with more outliers.

    Returns:
        None if too few matches agree on a motion.
    """
    camera_b, config = camera_b or camera_a, config or _CONFIG
    focal = (camera_a.focal + camera_b.focal) / 2
    rays = _rays(matches, camera_a, camera_b)
    motion = estimate_relative_pose(rays, focal, np.zeros(3), 1.0, config)
    if motion is None:
        return None
    return RelativePose(motion.geometry, motion.T_keyframe_camera, motion.inliers, motion.parallax_px, motion.noise_px)


def _rays(matches: Matches, camera_a: Camera, camera_b: Camera) -> NormalizedMatches:
    unknown = np.full(len(matches), np.nan)
    return NormalizedMatches(
        camera_a.normalize(matches.points_a),
        camera_b.normalize(matches.points_b),
        unknown,
        unknown,
        matches.covariance_b,
    )
