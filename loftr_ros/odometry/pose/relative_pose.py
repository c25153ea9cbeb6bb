"""Relative pose of two images from their matches alone: the estimator of the odometry without depth."""

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

# Image pairs with little overlap are the usual case, and a wrong pose has no consequences for later frames.
_CONFIG = OdometryConfig(min_inlier_ratio=0.1)


@dataclass(frozen=True)
class RelativePose:
    """Pose of camera b in camera a, optical frames; the length of the translation is unknown.

    Attributes:
        geometry: two-view model that the matches support.
        T_a_b: (4, 4); its translation is a unit vector, or zero where the geometry is ROTATION.
        inliers: (N,) bool, matches that fit the pose.
        parallax_px: median image motion of the inliers that rotation does not explain, pixels.
        noise_px: robust standard deviation of a coordinate of the inliers, pixels.
    """

    geometry: TwoViewGeometry
    T_a_b: Array
    inliers: NDArray[np.bool_]
    parallax_px: float
    noise_px: float


def relative_pose(
    matches: Matches, camera_a: Camera, camera_b: Camera | None = None, config: OdometryConfig | None = None
) -> RelativePose | None:
    """Estimate the relative pose of two images: essential matrix by MAGSAC++, then robust refinement over all matches.

    Args:
        matches: N matches, pixels.
        camera_a: calibration of image a.
        camera_b: calibration of image b, if it differs.
        config: thresholds and noise; its mode has no effect. By default that of the odometry, with more outliers.

    Returns:
        None without a consensus.
    """
    camera_b, config = camera_b or camera_a, config or _CONFIG
    focal = (camera_a.focal + camera_b.focal) / 2
    has_rays = camera_a.has_ray(matches.points_a) & camera_b.has_ray(matches.points_b)
    normalized = _normalized(matches.select(has_rays), camera_a, camera_b)
    motion = estimate_relative_pose(normalized, focal, np.zeros(3), 1.0, config)
    if motion is None:
        return None
    inliers = np.zeros(len(matches), bool)
    inliers[has_rays] = motion.inliers
    return RelativePose(
        geometry=motion.geometry,
        T_a_b=motion.T_keyframe_camera,
        inliers=inliers,
        parallax_px=motion.parallax_px,
        noise_px=motion.noise_px,
    )


def _normalized(matches: Matches, camera_a: Camera, camera_b: Camera) -> NormalizedMatches:
    unknown = np.full(len(matches), np.nan)
    return NormalizedMatches(
        a=camera_a.normalize(matches.points_a),
        b=camera_b.normalize(matches.points_b),
        inverse_depth=unknown,
        sigma=unknown,
        covariance_b=matches.covariance_b,
    )
