"""Relative pose of keyframe and frame: hypothesis, refinement, inliers, covariance, degeneracies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.geometry.robust import MAJORITY, SIGNIFICANT_SIGMAS
from loftr_ros.odometry.pose.degeneracy import competing_motion_covariance, degeneracies
from loftr_ros.odometry.pose.disparity_bias import NO_BIAS, DisparityBias
from loftr_ros.odometry.pose.gauss_newton import ObservableDof, RefinedPose
from loftr_ros.odometry.pose.hypotheses import Fit, PoseProblem, fit_from_prior, fit_from_scratch
from loftr_ros.odometry.pose.two_view import TwoViewGeometry
from loftr_ros.odometry.states import Degeneracy

# Lower bound of a covariance: standard deviations of 0.1 mm (or 1e-4 units) and 1e-5 rad.
# assumed: below the errors of calibration and shutter.
COVARIANCE_FLOOR = np.diag([1e-4, 1e-4, 1e-4, 1e-5, 1e-5, 1e-5]) ** 2
# Inlier ratio below which the covariance is inflated.
# assumed: above, it is consistent on the simulated runs (test/odometry/test_consistency.py).
_CONSISTENT_RATIO = 2 / 3


@dataclass(frozen=True)
class RelativePoseEstimate:
    """Measured pose of the camera in the keyframe.

    Attributes:
        T_keyframe_camera: (4, 4).
        covariance: (6, 6) in the axes of the keyframe (see `se3`), positive definite.
        depth_sensitivity: (N, 6) sensitivity of the pose to the depths, see `gauss_newton.RefinedPose`.
        inliers: (N,) bool, matches that fit the pose.
        parallax_px: median image motion that rotation does not explain, pixels.
        observable: degrees of freedom that the matches determined.
        geometry: two-view model that the matches support without depth.
        degeneracies: of the motion and the scene.
        noise_px: robust standard deviation of a coordinate of the inliers, pixels.
        disparity_bias: of the stereo rig, after this measurement.
        competing_covariance: (6, 6) part of `covariance` that a competing motion adds.
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
    disparity_bias: DisparityBias
    competing_covariance: Array

    @property
    def pose(self) -> tuple[Array, Array]:
        """T_keyframe_camera and its covariance."""
        return self.T_keyframe_camera, self.covariance

    @property
    def own_covariance(self) -> Array:
        """(6, 6) covariance given that the inliers are of the static scene and not of a moving object."""
        return self.covariance - self.competing_covariance

    @property
    def has_majority(self) -> bool:
        """Whether the inliers are a majority: else another pose may have as many."""
        return bool(self.inliers.mean() >= MAJORITY)

    def with_competing_motion(self, covariance: Array, is_marked: bool = True) -> RelativePoseEstimate:
        """Return the estimate with at least this (6, 6) `competing_covariance`, if `is_marked` as COMPETING_MOTION."""
        larger = max(covariance, self.competing_covariance, key=np.trace)
        names = (*self.degeneracies, Degeneracy.COMPETING_MOTION) if is_marked else self.degeneracies
        return replace(
            self,
            covariance=self.own_covariance + larger,
            competing_covariance=larger,
            degeneracies=tuple(dict.fromkeys(names)),
        )

    def with_scale_sigma(self, sigma: float) -> RelativePoseEstimate:
        """Return the estimate for depths whose common scale has this relative standard deviation."""
        if sigma == 0.0 or self.observable is not ObservableDof.FULL:
            return self
        error = np.append(sigma * self.T_keyframe_camera[:3, 3], np.zeros(3))
        covariance = self.covariance + np.outer(error, error)
        return replace(self, covariance=covariance, degeneracies=(*self.degeneracies, Degeneracy.PROPAGATED_DEPTH))


def estimate_relative_pose(
    matches: NormalizedMatches,
    focal: float,
    position: Array,
    baseline: float | None,
    config: OdometryConfig,
    bias: DisparityBias = NO_BIAS,
    T_predicted: Array | None = None,
) -> RelativePoseEstimate | None:
    """Estimate the relative pose of keyframe (image a) and frame (image b).

    Args:
        matches: N matches, with the depth of the keyframe where it is known.
        focal: pixels per unit of the plane z = 1.
        position: (3,) of the camera in the keyframe, kept where only rotation is observable.
        baseline: length of the translation where depth does not determine it; None: such that the median distance of
            the points is 1, the unit of length.
        config: thresholds.
        bias: of the disparities of the stereo rig that measured the depth.
        T_predicted: (4, 4) predicted pose; if most matches fit a pose near it, no other is searched.

    Returns:
        None without a consensus: fewer inliers than `min_inliers` or `min_inlier_ratio`.
    """
    problem = PoseProblem(
        matches=matches.shifted(bias.value),
        focal=focal,
        position=position,
        baseline=baseline,
        config=config,
        bias=bias,
    )
    fit = fit_from_prior(problem, T_predicted) if T_predicted is not None else None
    fit = fit or fit_from_scratch(problem)
    if fit is None:
        return None
    inliers = _inliers(problem, fit.refined)
    if not _has_consensus(problem, fit.refined, inliers):
        return None
    competing = competing_motion_covariance(
        problem.matches, inliers, fit.refined.T_a_b, fit.geometry, problem.threshold, config.min_inliers
    )
    return _estimate(problem, fit, inliers, competing)


def _inliers(problem: PoseProblem, refined: RefinedPose) -> NDArray[np.bool_]:
    """(N,) inliers, re-selected among all matches by the estimated noise: an initial pose may have lost some."""
    tolerance = np.clip(SIGNIFICANT_SIGMAS * refined.noise, problem.threshold, problem.largest_error)
    return np.asarray(refined.errors < tolerance)


def _has_consensus(problem: PoseProblem, refined: RefinedPose, inliers: NDArray[np.bool_]) -> bool:
    config = problem.config
    least = max(config.min_inliers, config.min_inlier_ratio * len(problem.matches))
    finite = np.isfinite(refined.T_a_b).all() and np.isfinite(refined.covariance).all()
    return bool(inliers.sum() >= least and finite)


def _estimate(
    problem: PoseProblem, fit: Fit, inliers: NDArray[np.bool_], competing: Array | None
) -> RelativePoseEstimate:
    """Put the estimate together, with the degeneracies."""
    covariance = _covariance(problem, fit, inliers)
    is_metric = fit.observable is ObservableDof.FULL and problem.config.mode != "mono"
    return RelativePoseEstimate(
        T_keyframe_camera=fit.refined.T_a_b,
        covariance=covariance if competing is None else covariance + competing,
        depth_sensitivity=fit.refined.depth_sensitivity,
        inliers=inliers,
        parallax_px=fit.parallax_px,
        observable=fit.observable,
        geometry=fit.geometry,
        degeneracies=degeneracies(
            fit.geometry,
            problem.matches.select(inliers),
            is_metric,
            has_competitor=competing is not None,
            is_ambiguous=fit.refined.is_ambiguous,
        ),
        noise_px=problem.focal * fit.refined.noise,
        disparity_bias=fit.bias,
        competing_covariance=np.zeros((6, 6)) if competing is None else competing,
    )


def _covariance(problem: PoseProblem, fit: Fit, inliers: NDArray[np.bool_]) -> Array:
    """(6, 6) of the refinement, inflated at low inlier ratios to account for false inliers.

    The part of the translation that is not observable gets a standard deviation of its own size.
    """
    inflation = max(1.0, _CONSISTENT_RATIO / float(inliers.mean())) ** 2
    covariance = inflation * fit.refined.covariance + COVARIANCE_FLOOR
    unobserved = np.zeros((6, 6))
    if fit.observable is ObservableDof.UP_TO_SCALE:
        position = fit.refined.T_a_b[:3, 3]
        unobserved[:3, :3] = np.outer(position, position)
    elif fit.observable is ObservableDof.ROTATION_ONLY:
        min_parallax = problem.config.min_parallax_px / problem.focal
        baseline = min_parallax if problem.baseline is None else problem.baseline
        unobserved[:3, :3] = baseline**2 * np.eye(3)
    return np.asarray(covariance + unobserved)
