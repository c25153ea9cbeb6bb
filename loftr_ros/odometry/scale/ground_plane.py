"""The ground before a camera whose height above it is known, which tells the scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry.normalized_matches import homogeneous, triangulate
from loftr_ros.odometry.scale.filter import KeyframeStep, ScaleSample
from loftr_ros.odometry.states import TrackingState

# Where the ground is looked for: below the horizon by this angle, and to the sides no further than this many heights
# of the camera, because kerbs and verges lie beyond.
_BELOW_HORIZON_RAD = np.radians(3.0)
_SIDEWAYS = 2.0
# How far the normal of the ground may be from the expected one, radians: standard deviation, and at most.
_TILT_SIGMA, _LARGEST_TILT = np.radians(2.0), np.radians(10.0)
# Points this many standard deviations from a plane are on it.
_ON = 2.0
# Fewer points on the plane than this, or than this share of those where the ground is expected, are no ground.
_LEAST_POINTS, _LEAST_SHARE = 25, 0.3
# A height less certain than this, as a share, tells nothing.
_LARGEST_SIGMA = 0.2
# Bumps, slopes, and the camera's own rocking change the height by this share from place to place ...
_UNEVENNESS = 0.03
# ... and by this one for good: the crown of a road, and the user's tape measure.
_COMMON_SIGMA = 0.02
_HYPOTHESES = 200


@dataclass(frozen=True)
class GroundPlane:
    """A plane normal' X = height of points X in the axes of the camera, optical.

    Attributes:
        normal: (3,) unit vector, down.
        height: of the camera above it, in the units of the points.
        sigma: standard deviation of the height that the points show, as a share of it.
    """

    normal: Array
    height: float
    sigma: float


class GroundScale:
    """Measures the scale by the ground that one keyframe and the next both see."""

    common_sigma = _COMMON_SIGMA

    def __init__(self, config: OdometryConfig) -> None:
        """Take the height and pitch of the camera."""
        self._height = config.camera_height
        self._down = down_in_camera(config.camera_pitch)
        self._noise_px = config.match_noise_px

    def samples(self, step: KeyframeStep) -> list[ScaleSample]:
        """Measure if both keyframes see the ground."""
        estimate = step.estimate
        if estimate.state is not TrackingState.TRACKING or estimate.reference is None:
            return []
        if estimate.reference.stamp_ns != step.keyframe_ns:  # relocalized against an earlier keyframe
            return []
        camera, seen = estimate.reference.camera, estimate.matches.select(estimate.inliers)
        rays, rays_now = camera.normalize(seen.points_a), camera.normalize(seen.points_b)
        depths = triangulate(rays, rays_now, step.T_keyframe_camera, self._noise_px / camera.focal)
        ground = fit_ground(rays, *depths, self._down)
        if ground is None:
            return []
        return [ScaleSample(float(np.log(self._height / ground.height)), float(np.hypot(ground.sigma, _UNEVENNESS)))]


def down_in_camera(pitch: float) -> Array:
    """Return the (3,) direction of down in the axes of a camera that looks down by `pitch` radians, and has no roll."""
    return np.array([0.0, np.cos(pitch), np.sin(pitch)])


def fit_ground(
    rays: Array,
    inverse_depth: Array,
    sigma: Array,
    down: Array,
) -> GroundPlane | None:
    """Fit the lowest plane about square to `down`.

    On a plane, the inverse depth is linear in the image: 1/z = m' (x, y, 1) with m = normal / height. Of random samples
    the best is the plane with most points on it, less those below it, since nothing is seen below the ground; so a
    floor wins over a larger table. It is refined over all points (Geman-McClure), its tilt held near the expected one.

    Args:
        rays: (N, 2) points on the plane z = 1.
        inverse_depth, sigma: (N,) 1/z and its standard deviation, NaN where unknown.
        down: (3,) expected normal.

    Returns:
        None where there is no such plane.
    """
    known = np.isfinite(inverse_depth) & np.isfinite(sigma) & _is_ahead_below(rays, down)
    points, rho, sigma = homogeneous(rays[known]), inverse_depth[known], sigma[known]
    if len(points) < _LEAST_POINTS:
        return None
    m = _best_sample(points, rho, sigma, down)
    if m is None:
        return None
    m, covariance = _refined(m, points, rho, sigma, down)
    support = int((np.abs(rho - points @ m) < _ON * sigma).sum())
    height = 1.0 / float(np.linalg.norm(m))
    normal = height * m
    height_sigma = height * float(np.sqrt(normal @ covariance @ normal))
    if support < max(_LEAST_POINTS, _LEAST_SHARE * len(points)) or height_sigma > _LARGEST_SIGMA:
        return None
    return GroundPlane(normal, height, height_sigma) if normal @ down > np.cos(_LARGEST_TILT) else None


def _is_ahead_below(rays: Array, down: Array) -> NDArray[np.bool_]:
    """(N,) rays that meet a level ground, not too far away and not too far to the sides."""
    points = homogeneous(rays)
    below = points @ down
    ahead = points @ [0.0, -down[2], down[1]]
    sideways = np.abs(points[:, 0])
    return np.asarray((below > np.tan(_BELOW_HORIZON_RAD) * ahead) & (sideways < _SIDEWAYS * below))


def _best_sample(points: Array, rho: Array, sigma: Array, down: Array) -> Array | None:
    """Return the best plane (3,) through three of the points, None if all are too tilted (RANSAC)."""
    three = np.random.default_rng(0).integers(0, len(points), (_HYPOTHESES, 3))
    planes = (np.linalg.pinv(points[three]) @ rho[three][:, :, None])[:, :, 0]
    planes = planes[planes @ down > np.cos(_LARGEST_TILT) * np.linalg.norm(planes, axis=1)]
    if len(planes) == 0:
        return None
    deviations = (rho - planes @ points.T) / sigma
    score = (np.abs(deviations) < _ON).sum(axis=1) - (deviations < -_ON).sum(axis=1)
    best: Array = planes[np.argmax(score)]
    return best


def _refined(
    m: Array,
    points: Array,
    rho: Array,
    sigma: Array,
    down: Array,
) -> tuple[Array, Array]:
    """Return the plane (3,) of all points, and its covariance (3, 3)."""
    level = np.array([[1.0, 0.0, 0.0], [0.0, -down[2], down[1]]])
    for _ in range(10):
        deviations = (rho - points @ m) / sigma
        weights = 1.0 / (1.0 + (deviations / _ON) ** 2) / sigma
        upright = level / (_TILT_SIGMA * np.linalg.norm(m))
        A = np.vstack([points * weights[:, None], upright])
        m = np.linalg.lstsq(A, np.append(rho * weights, [0.0, 0.0]), rcond=None)[0]
    return m, np.asarray(np.linalg.inv(A.T @ A))
