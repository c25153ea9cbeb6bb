"""Pose hypotheses: from a predicted pose, or from the matches alone, each refined with the depth that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import (
    MIN_NOISE_PX,
    SUBSET_SIZE,
    NormalizedMatches,
    triangulate,
)
from loftr_ros.odometry.pose.baseline_length import length_ratio
from loftr_ros.odometry.pose.direction import refine_direction
from loftr_ros.odometry.pose.disparity_bias import DisparityBias
from loftr_ros.odometry.pose.gauss_newton import ObservableDof, RefinedPose, evaluate_covariance, refine_pose
from loftr_ros.odometry.pose.initialization import start_with_depth, translated
from loftr_ros.odometry.pose.residuals import LinearizedResiduals
from loftr_ros.odometry.pose.two_view import TwoViewGeometry, two_view_geometry, two_view_pose

# Upper bound of the reprojection error of an inlier, pixels, however large the noise.
# measured: docs/odometry.md, "Search near the predicted pose for a single camera"; docs/sensitivity.md.
MAX_ERROR_PX = 3.0
# Least relative standard deviation of depth that a single camera has triangulated from its own motion.
# assumed: such depths have errors in common from frame to frame, which no number of frames averages out.
_TRIANGULATED_SIGMA = 0.15
# Inlier ratio of a predicted pose, before (within MAX_ERROR_PX) and after its refinement. From a start farther off,
# the depths of a single camera may lead to another pose with many inliers.
# measured: docs/sensitivity.md, "hypotheses._MIN_PRIOR_RATIO"; less is worse.
_MIN_PRIOR_RATIO = 0.8


@dataclass(frozen=True)
class PoseProblem:
    """Matches between keyframe (image a) and frame (image b), and the prior knowledge.

    Attributes:
        matches: N matches, with the depth of the keyframe where it is known.
        focal: pixels per unit of the plane z = 1.
        position: (3,) of the camera in the keyframe, kept where only rotation is observable.
        baseline: length of the translation where depth does not determine it; None: choose the unit of length.
        config: thresholds.
        bias: of the disparities of the stereo rig that measured the depth.
    """

    matches: NormalizedMatches
    focal: float
    position: Array
    baseline: float | None
    config: OdometryConfig
    bias: DisparityBias

    @property
    def noise(self) -> float:
        """Nominal standard deviation of a coordinate of a match, on the plane z = 1."""
        return self.config.match_noise_px / self.focal

    @property
    def least_noise(self) -> float:
        """Lower bound of the same."""
        return MIN_NOISE_PX / self.focal

    @property
    def threshold(self) -> float:
        """Inlier threshold of RANSAC, on the plane z = 1."""
        return self.config.ransac_threshold_px / self.focal

    @property
    def largest_error(self) -> float:
        """Upper bound of the error of an inlier, on the plane z = 1."""
        return MAX_ERROR_PX / self.focal


@dataclass(frozen=True)
class Fit:
    """A refined hypothesis; the attributes are those of `RelativePoseEstimate`."""

    refined: RefinedPose
    observable: ObservableDof
    geometry: TwoViewGeometry
    parallax_px: float
    bias: DisparityBias


def fit_from_prior(problem: PoseProblem, T_predicted: Array) -> Fit | None:
    """Refine a (4, 4) predicted pose; None if too few matches fit it before or after the refinement."""
    config, matches = problem.config, problem.matches
    subset = matches.subsampled(SUBSET_SIZE)
    if subset.has_depth.sum() < config.min_inliers:
        return None
    predicted = LinearizedResiduals.with_nominal_noise(T_predicted, subset, problem.noise)
    near = predicted.errors_at(T_predicted) < problem.largest_error
    if near.mean() < _MIN_PRIOR_RATIO:
        return None
    start = T_predicted
    if config.mode == "mono":  # its depths determine the length of the translation better than the motion model does
        start = translated(start, subset.select(near & subset.has_depth), subset, problem.noise).T
    refined, bias = _refine_with_depth(problem, start)
    inliers = np.asarray(refined.errors < problem.threshold)
    if inliers.mean() < _MIN_PRIOR_RATIO:
        return None
    geometry, parallax_px = two_view_geometry(
        matches, inliers, problem.focal, config.ransac_threshold_px, config.min_parallax_px
    )
    return Fit(refined=refined, observable=ObservableDof.FULL, geometry=geometry, parallax_px=parallax_px, bias=bias)


def fit_from_scratch(problem: PoseProblem) -> Fit | None:
    """Refine the two-view pose, with depth if enough of its inliers have one; None without a consensus."""
    config, matches, bias = problem.config, problem.matches, problem.bias
    two_view = two_view_pose(
        matches, problem.focal, config.ransac_threshold_px, config.min_parallax_px, config.min_inliers
    )
    if two_view is None:
        return None
    if matches.has_depth[two_view.inliers].sum() >= config.min_inliers:
        observable = ObservableDof.FULL
        start = start_with_depth(two_view, matches, problem.noise, problem.threshold)
        refined, bias = _refine_with_depth(problem, start)
    elif two_view.geometry is TwoViewGeometry.ROTATION:
        observable = ObservableDof.ROTATION_ONLY
        start = se3.transform(two_view.R_a_b, problem.position)
        refined = refine_pose(start, matches.without_depth(), problem.noise, problem.least_noise, observable)
    else:
        observable = ObservableDof.UP_TO_SCALE
        refined = refine_direction(
            two_view,
            matches.without_depth(),
            problem.baseline,
            problem.noise,
            problem.least_noise,
            problem.threshold,
        )
    return Fit(
        refined=refined,
        observable=observable,
        geometry=two_view.geometry,
        parallax_px=two_view.parallax_px,
        bias=bias,
    )


def _refine_with_depth(problem: PoseProblem, start: Array) -> tuple[RefinedPose, DisparityBias]:
    """Refine all six degrees of freedom, and the disparity bias where a stereo rig measured the depth."""
    if problem.config.mode == "mono":
        return _refine_with_triangulated_depth(problem, start), problem.bias
    refined = refine_pose(start, problem.matches, problem.noise, problem.least_noise, bias_sigma=problem.bias.sigma)
    bias = problem.bias.updated(problem.bias.value + refined.depth_bias)
    return refined.with_bias(bias.value - problem.bias.value, bias.sigma), bias


def _refine_with_triangulated_depth(problem: PoseProblem, start: Array) -> RefinedPose:
    """Refine a pose with depth from the camera's own motion, and correct its length, which preserves the scale.

    Such depth carries the errors of the earlier poses, so it is no independent information: the covariance is that of
    the matches without depth, and only the length takes its variance from the depth.
    """
    matches = problem.matches
    refined = refine_pose(start, matches, problem.noise, problem.least_noise, least_depth_sigma=_TRIANGULATED_SIGMA)
    triangulated = triangulate(matches.a, matches.b, refined.T_a_b, refined.noise)
    ratio = length_ratio(matches.inverse_depth, matches.sigma, *triangulated)
    T = se3.transform(refined.T_a_b[:3, :3], ratio * refined.T_a_b[:3, 3])
    along = T[:3, 3] / max(float(np.linalg.norm(T[:3, 3])), 1e-9)
    covariance = evaluate_covariance(T, matches.without_depth(), refined.noise, ObservableDof.UP_TO_SCALE).covariance
    covariance[:3, :3] += along @ refined.covariance[:3, :3] @ along * np.outer(along, along)
    return replace(refined, T_a_b=T, covariance=covariance, depth_sensitivity=np.zeros_like(refined.depth_sensitivity))
