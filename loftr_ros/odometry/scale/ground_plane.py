"""Scale from the ground plane in front of a camera of known height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry.normalized_matches import homogeneous, triangulate
from loftr_ros.odometry.geometry.robust import cauchy_weights
from loftr_ros.odometry.scale.filter import KeyframeStep, ScaleSample
from loftr_ros.odometry.states import TrackingState

# Search region: below the horizon by this angle, and sideways up to this many camera heights, because curbs and verges
# lie beyond.
_BELOW_HORIZON_RAD = np.radians(3.0)
_SIDEWAYS = 2.0
# Angle between the ground normal and the expected one, radians: standard deviation of the prior, and gate.
_TILT_SIGMA, _MAX_TILT = np.radians(2.0), np.radians(10.0)
# Inlier threshold of the plane and scale of its robust loss, standard deviations.
_INLIER_SIGMAS = 2.0
# Least number of inliers, and least inlier ratio in the search region.
_MIN_POINTS, _MIN_INLIER_RATIO = 25, 0.3
# Largest relative standard deviation of the height.
_MAX_SIGMA = 0.2
# Relative standard deviation of the height: local (bumps, slopes, pitch of the vehicle) ...
_LOCAL_SIGMA = 0.03
# ... and constant (crown of the road, error of the configured height).
_COMMON_SIGMA = 0.02
# RANSAC hypotheses.
_HYPOTHESES = 200


@dataclass(frozen=True)
class GroundPlane:
    """A plane normal' X = height of points X in the optical frame of the camera.

    Attributes:
        normal: (3,) unit vector, down.
        height: of the camera above it, in the units of the points.
        sigma: relative standard deviation of the height from the points.
    """

    normal: Array
    height: float
    sigma: float


class GroundScale:
    """Measures the scale from the ground in view of two consecutive keyframes."""

    common_sigma = _COMMON_SIGMA

    def __init__(self, config: OdometryConfig) -> None:
        """Use the height and pitch of the camera."""
        self._height = config.camera_height
        self._down = down_in_camera(config.camera_pitch)
        self._noise_px = config.match_noise_px

    def samples(self, step: KeyframeStep) -> list[ScaleSample]:
        """Return one sample if a ground plane is found."""
        estimate = step.estimate
        if estimate.state is not TrackingState.TRACKING or estimate.reference is None:
            return []
        if estimate.reference.stamp_ns != step.keyframe_ns:  # relocalized against an earlier keyframe
            return []
        camera, inliers = estimate.reference.camera, estimate.matches.select(estimate.inliers)
        points_a, points_b = camera.normalize(inliers.points_a), camera.normalize(inliers.points_b)
        depths = triangulate(points_a, points_b, step.T_keyframe_camera, self._noise_px / camera.focal)
        ground = fit_ground(points_a, *depths, self._down)
        if ground is None:
            return []
        return [ScaleSample(float(np.log(self._height / ground.height)), float(np.hypot(ground.sigma, _LOCAL_SIGMA)))]


def down_in_camera(pitch: float) -> Array:
    """Return the (3,) down direction in the optical frame of a camera pitched down by `pitch` radians, without roll."""
    return np.array([0.0, np.cos(pitch), np.sin(pitch)])


def fit_ground(points: Array, inverse_depth: Array, sigma: Array, down: Array) -> GroundPlane | None:
    """Fit the lowest plane about perpendicular to `down`: RANSAC, then IRLS.

    On a plane, inverse depth is linear in the image: 1/z = m' (x, y, 1) with m = normal / height. The RANSAC score is
    the number of inliers minus that of points below the plane, since the ground occludes those; so a floor wins over a
    larger table. The refinement uses the Geman-McClure loss, with a prior on the tilt.

    Args:
        points: (N, 2) on the plane z = 1.
        inverse_depth, sigma: (N,) 1/z and its standard deviation, NaN where unknown.
        down: (3,) expected normal.

    Returns:
        None without such a plane.
    """
    valid = np.isfinite(inverse_depth) & np.isfinite(sigma) & _in_search_region(points, down)
    columns, rho, sigma = homogeneous(points[valid]), inverse_depth[valid], sigma[valid]
    if len(columns) < _MIN_POINTS:
        return None
    m = _best_hypothesis(columns, rho, sigma, down)
    if m is None:
        return None
    try:
        m, covariance = _refined(m, columns, rho, sigma, down)
    except np.linalg.LinAlgError:  # singular, such as at numbers that overflow
        return None
    num_inliers = int((np.abs(rho - columns @ m) < _INLIER_SIGMAS * sigma).sum())
    height = 1.0 / float(np.linalg.norm(m))
    normal = height * m
    variance = float(normal @ covariance @ normal)
    has_inliers = num_inliers >= max(_MIN_POINTS, _MIN_INLIER_RATIO * len(columns))
    # Every gate is one that NaN fails, such as a variance below zero by rounding.
    if not (has_inliers and variance >= 0.0 and normal @ down > np.cos(_MAX_TILT)):
        return None
    height_sigma = height * float(np.sqrt(variance))
    return GroundPlane(normal, height, height_sigma) if height_sigma <= _MAX_SIGMA else None


def _in_search_region(points: Array, down: Array) -> NDArray[np.bool_]:
    """(N,) whether points on the plane z = 1 may show level ground, not too far ahead or to the sides."""
    columns = homogeneous(points)
    below = columns @ down
    ahead = columns @ [0.0, -down[2], down[1]]
    sideways = np.abs(columns[:, 0])
    return np.asarray((below > np.tan(_BELOW_HORIZON_RAD) * ahead) & (sideways < _SIDEWAYS * below))


def _best_hypothesis(columns: Array, rho: Array, sigma: Array, down: Array) -> Array | None:
    """Return the plane (3,) through three points with the best score; None if all are too tilted (RANSAC)."""
    samples = np.random.default_rng(0).integers(0, len(columns), (_HYPOTHESES, 3))
    planes = (np.linalg.pinv(columns[samples]) @ rho[samples][:, :, None])[:, :, 0]
    planes = planes[planes @ down > np.cos(_MAX_TILT) * np.linalg.norm(planes, axis=1)]
    if len(planes) == 0:
        return None
    deviations = (rho - planes @ columns.T) / sigma
    score = (np.abs(deviations) < _INLIER_SIGMAS).sum(axis=1) - (deviations < -_INLIER_SIGMAS).sum(axis=1)
    best: Array = planes[np.argmax(score)]
    return best


def _refined(m: Array, columns: Array, rho: Array, sigma: Array, down: Array) -> tuple[Array, Array]:
    """Return the plane (3,) refined on all points, and its covariance (3, 3)."""
    level = np.array([[1.0, 0.0, 0.0], [0.0, -down[2], down[1]]])
    for _ in range(10):
        deviations = (rho - columns @ m) / sigma
        # Geman-McClure: the squares of these are its weights.
        weights = cauchy_weights((deviations / _INLIER_SIGMAS) ** 2) / sigma
        tilt_prior = level / (_TILT_SIGMA * np.linalg.norm(m))
        A = np.vstack([columns * weights[:, None], tilt_prior])
        if not np.isfinite(A).all():
            raise np.linalg.LinAlgError("a plane at infinity")
        m = np.linalg.lstsq(A, np.append(rho * weights, [0.0, 0.0]), rcond=None)[0]
    return m, np.asarray(np.linalg.inv(A.T @ A))
