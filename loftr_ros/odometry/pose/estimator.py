"""Motion of the camera since the keyframe, from matches and what is known of their depth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import LEAST_NOISE_PX, NormalizedMatches, triangulate
from loftr_ros.odometry.pose.baseline_length import length_ratio
from loftr_ros.odometry.pose.degeneracy import competing_motion_covariance, degeneracies
from loftr_ros.odometry.pose.direction import refine_direction
from loftr_ros.odometry.pose.disparity_bias import NO_BIAS, DisparityBias
from loftr_ros.odometry.pose.gauss_newton import ObservableDof, RefinedPose, evaluate_covariance, refine_pose
from loftr_ros.odometry.pose.initialization import start_with_depth, translated
from loftr_ros.odometry.pose.residuals import Linearization
from loftr_ros.odometry.pose.two_view import TwoViewGeometry, two_view_geometry, two_view_pose
from loftr_ros.odometry.states import Degeneracy

# No covariance is smaller than this: standard deviations of 0.1 mm (or 1e-4 units) and 1e-5 rad. Calibration and the
# shutter alone cost more.
COVARIANCE_FLOOR = np.diag([1e-4, 1e-4, 1e-4, 1e-5, 1e-5, 1e-5]) ** 2

# Depth that a single camera found by its own motion has errors in common from frame to frame; no number of frames makes
# it more exact than this share of the depth, as far as rotation and direction are concerned.
_OWN_DEPTH_SIGMA = 0.15

# About so many matches are enough to tell whether the expected pose is near.
_MANY = 300
# It is if most of them are no further off than an inlier may ever be, and agree on what this leads to. From further off
# the depths of a single camera may lead to another pose that most agree on.
_MOST = 0.8
# No inlier is further than this from where the pose puts it, pixels, however large the noise.
LARGEST_ERROR_PX = 3.0
# Down to this share of inliers the covariance is that of the simulated runs; with fewer it is less certain.
_USUAL_SHARE = 2 / 3


@dataclass(frozen=True)
class RelativePoseEstimate:
    """Pose of the camera relative to the keyframe, measured.

    Attributes:
        T_keyframe_camera: (4, 4).
        covariance: (6, 6) in the axes of the keyframe (see `se3`), positive definite.
        depth_sensitivity: (N, 6) how errors of the depths got into the pose, see `gauss_newton.RefinedPose`.
        inliers: (N,) bool, matches that agree with the pose.
        parallax_px: median image motion that rotation does not explain, pixels.
        observable: what the matches determined.
        geometry: what they look like without any depth.
        degeneracies: what makes the pose less than it seems.
        noise_px: standard deviation of the inliers' coordinates that the residuals show, pixels.
        offset: what is known of the stereo rig after this measurement.
        doubt: (6, 6) the part of the covariance that a competing motion of other matches adds.
    """

    T_keyframe_camera: Array
    covariance: Array
    depth_sensitivity: Array
    inliers: NDArray[np.bool_]
    parallax_px: float
    observable: ObservableDof
    geometry: TwoViewGeometry
    degeneracies: tuple[Degeneracy, ...]
    noise_px: float
    offset: DisparityBias
    doubt: Array

    @property
    def pose(self) -> tuple[Array, Array]:
        """T_keyframe_camera and its covariance."""
        return self.T_keyframe_camera, self.covariance

    @property
    def undoubted(self) -> Array:
        """(6, 6) covariance if the inliers show the world and not a moving object."""
        return self.covariance - self.doubt

    def doubted(self, doubt: Array) -> RelativePoseEstimate:
        """Return the same with a (6, 6) doubt that is at least this one, and the remark."""
        named = dict.fromkeys((*self.degeneracies, Degeneracy.COMPETING_MOTION))
        more = doubt if np.trace(doubt) > np.trace(self.doubt) else self.doubt
        return replace(self, covariance=self.undoubted + more, doubt=more, degeneracies=tuple(named))

    def with_scale_sigma(self, sigma: float) -> RelativePoseEstimate:
        """Return the same measured with depths whose common scale has this standard deviation, as a share."""
        if sigma == 0.0 or self.observable is not ObservableDof.FULL:
            return self
        error = np.append(sigma * self.T_keyframe_camera[:3, 3], np.zeros(3))
        covariance = self.covariance + np.outer(error, error)
        return replace(self, covariance=covariance, degeneracies=(*self.degeneracies, Degeneracy.PROPAGATED_DEPTH))


@dataclass(frozen=True)
class _Fit:
    """What `RelativePoseEstimate` is made of; the attributes are those of it."""

    refined: RefinedPose
    observable: ObservableDof
    geometry: TwoViewGeometry
    parallax_px: float
    offset: DisparityBias


def estimate_relative_pose(
    rays: NormalizedMatches,
    focal: float,
    position: Array,
    baseline: float | None,
    config: OdometryConfig,
    offset: DisparityBias = NO_BIAS,
    T_expected: Array | None = None,
) -> RelativePoseEstimate | None:
    """Measure the motion between keyframe (image a) and frame (image b).

    Args:
        rays: N matches and what is known of their depth.
        focal: pixels per unit of the plane z = 1.
        position: (3,) of the camera in the keyframe, kept if the matches show a rotation only.
        baseline: length of the translation, where depth does not tell it; None: the unit of length, which is the median
            distance of what the first matches show, is not chosen yet.
        config: thresholds.
        offset: what is known of the stereo rig that measured the depths.
        T_expected: (4, 4) about where the camera should be. If most matches agree on a pose near to it, no other is
            looked for.

    Returns:
        None if too few matches agree on a motion.
    """
    rays = rays.shifted(offset.value)
    fit = None
    if T_expected is not None:
        fit = _fit_from_prior(T_expected, rays, focal, config, offset)
    if fit is None:
        fit = _fit_from_scratch(rays, focal, position, baseline, config, offset)
    if fit is None:
        return None
    refined, observable, offset = fit.refined, fit.observable, fit.offset
    # All matches have their say in the refinement, which is robust; those that only a rough start left out come back.
    tolerance = np.clip(3.0 * refined.noise, config.ransac_threshold_px / focal, LARGEST_ERROR_PX / focal)
    inliers = np.asarray(refined.errors < tolerance)
    enough = max(config.min_inliers, config.min_inlier_share * len(rays))
    finite = np.isfinite(refined.T_a_b).all() and np.isfinite(refined.covariance).all()
    if inliers.sum() < enough or not finite:
        return None
    # Where many matches are wrong, some of the wrong ones pass for right.
    inflation = max(1.0, _USUAL_SHARE / float(inliers.mean())) ** 2
    covariance = inflation * refined.covariance + COVARIANCE_FLOOR
    unseen = config.min_parallax_px / focal if baseline is None else baseline
    covariance += _undetermined(observable, refined.T_a_b[:3, 3], unseen)
    doubt = competing_motion_covariance(
        rays, inliers, refined.T_a_b, config.ransac_threshold_px / focal, config.min_inliers
    )
    is_metric = observable is ObservableDof.FULL and config.mode != "mono"
    return RelativePoseEstimate(
        refined.T_a_b,
        covariance if doubt is None else covariance + doubt,
        refined.depth_sensitivity,
        inliers,
        fit.parallax_px,
        observable,
        fit.geometry,
        degeneracies(fit.geometry, rays.select(inliers), is_metric, doubt is not None, refined.is_ambiguous),
        focal * refined.noise,
        offset,
        np.zeros((6, 6)) if doubt is None else doubt,
    )


def _fit_from_prior(
    T_expected: Array,
    rays: NormalizedMatches,
    focal: float,
    config: OdometryConfig,
    offset: DisparityBias,
) -> _Fit | None:
    """Start at the expected pose; None if it is far off, or leaves more matches unexplained than a few."""
    few = rays.subsampled(_MANY)
    if few.known.sum() < config.min_inliers:
        return None
    noise, start = config.match_noise_px / focal, T_expected
    near = Linearization.rough(start, few, noise).errors_at(start) < LARGEST_ERROR_PX / focal
    if near.mean() < _MOST:
        return None
    if config.mode == "mono":  # the depths that it found by itself may agree on another length than the last speed does
        start = translated(start, few.select(near & few.known), few, noise).T
    refined, offset = _refined_with_depth(start, rays, focal, config, offset)
    inliers = np.asarray(refined.errors < config.ransac_threshold_px / focal)
    if inliers.mean() < _MOST:
        return None
    seen = two_view_geometry(rays, inliers, focal, config.ransac_threshold_px, config.min_parallax_px)
    return _Fit(refined, ObservableDof.FULL, *seen, offset)


def _fit_from_scratch(
    rays: NormalizedMatches,
    focal: float,
    position: Array,
    baseline: float | None,
    config: OdometryConfig,
    offset: DisparityBias,
) -> _Fit | None:
    """Start at what the matches tell without any depth."""
    two_view = two_view_pose(rays, focal, config.ransac_threshold_px, config.min_parallax_px, config.min_inliers)
    if two_view is None:
        return None
    noise, least_noise = config.match_noise_px / focal, LEAST_NOISE_PX / focal
    threshold = config.ransac_threshold_px / focal
    if rays.known[two_view.inliers].sum() >= config.min_inliers:
        observable = ObservableDof.FULL
        start = start_with_depth(two_view, rays, noise, threshold)
        refined, offset = _refined_with_depth(start, rays, focal, config, offset)
    else:
        observable, depthless = ObservableDof.UP_TO_SCALE, rays.without_depth()
        if two_view.geometry is TwoViewGeometry.ROTATION:
            observable = ObservableDof.ROTATION_ONLY
            refined = refine_pose(se3.transform(two_view.R_a_b, position), depthless, noise, least_noise, observable)
        else:
            refined = refine_direction(two_view, depthless, baseline, noise, least_noise, threshold)
    return _Fit(refined, observable, two_view.geometry, two_view.parallax_px, offset)


def _refined_with_depth(
    start: Array, rays: NormalizedMatches, focal: float, config: OdometryConfig, offset: DisparityBias
) -> tuple[RefinedPose, DisparityBias]:
    noise, least_noise = config.match_noise_px / focal, LEAST_NOISE_PX / focal
    if config.mode == "mono":
        return _refine_with_own_depth(start, rays, noise, least_noise), offset
    refined = refine_pose(start, rays, noise, least_noise, offset_sigma=offset.sigma)
    learned = offset.updated(offset.value + refined.depth_offset)
    return refined.with_offset(learned.value - offset.value, learned.sigma), learned


def _refine_with_own_depth(start: Array, rays: NormalizedMatches, noise: float, least_noise: float) -> RefinedPose:
    """Refine a pose with depth that comes from the camera's own motion: not too trusting, and keeping the scale.

    What such depth adds was in the poses before, and errs with them. So its part in the covariance is the length alone.
    """
    refined = refine_pose(start, rays, noise, least_noise, least_depth_sigma=_OWN_DEPTH_SIGMA)
    measured = triangulate(rays.a, rays.b, refined.T_a_b, refined.noise)
    ratio = length_ratio(rays.inverse_depth, rays.sigma, *measured)
    T = se3.transform(refined.T_a_b[:3, :3], ratio * refined.T_a_b[:3, 3])
    along = T[:3, 3] / max(float(np.linalg.norm(T[:3, 3])), 1e-9)
    covariance = evaluate_covariance(T, rays.without_depth(), refined.noise, ObservableDof.UP_TO_SCALE).covariance
    covariance[:3, :3] += along @ refined.covariance[:3, :3] @ along * np.outer(along, along)
    return replace(refined, T_a_b=T, covariance=covariance, depth_sensitivity=np.zeros_like(refined.depth_sensitivity))


def _undetermined(observable: ObservableDof, position: Array, baseline: float) -> Array:
    """(6, 6) covariance of the part of the translation that the matches do not determine: as large as itself."""
    covariance = np.zeros((6, 6))
    if observable is ObservableDof.UP_TO_SCALE:
        covariance[:3, :3] = np.outer(position, position)
    elif observable is ObservableDof.ROTATION_ONLY:
        covariance[:3, :3] = baseline**2 * np.eye(3)
    return covariance
