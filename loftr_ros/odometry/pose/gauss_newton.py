"""Robust Gauss-Newton refinement of a relative pose over matches with and without depth, and its covariance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.geometry.robust import SIGNIFICANT_SIGMAS, cauchy_weights
from loftr_ros.odometry.pose.residuals import LinearizedResiduals, NoiseScales

# Largest number of steps.
# numerical: bounds the run time; twice as many change nothing (docs/sensitivity.md).
_MAX_STEPS = 8
# Convergence: twice the predicted decrease of the cost; 1/2 is one standard deviation of a parameter.
# numerical: far below the covariance.
_COST_TOLERANCE = 0.1
# Convergence: relative change of the noise.
# numerical: as accurate as a noise has to be.
_NOISE_TOLERANCE = 0.1
# Over-relaxation applies where the predicted decrease per match is below this.
# numerical: there the residuals are mostly noise.
_RELAXED_BELOW = 0.1
# Largest factor of the over-relaxation.
# numerical: below 2, up to which a step cannot increase the cost.
_MAX_RELAXATION = 1.8
# Lower bound of E[psi'] in the covariance.
# numerical: guard of a division; normal residuals have 0.3 to 0.5.
_MIN_SLOPE = 0.05


class ObservableDof(Enum):
    """Degrees of freedom of the pose that the matches determine."""

    FULL = "full"
    """All six: depth is known."""
    UP_TO_SCALE = "up to scale"
    """Rotation and direction of translation; its length is kept."""
    ROTATION_ONLY = "rotation only"
    """Rotation; the translation is kept."""


@dataclass(frozen=True)
class RefinedPose:
    """A refined relative pose.

    Attributes:
        T_a_b: (4, 4) pose of camera b in camera a.
        covariance: (6, 6) in the axes of a (see `se3`); singular in the degrees of freedom that are not observable.
        depth_sensitivity: (N, 6) change of the pose by one standard deviation of each depth, zero where unknown. Poses
            measured with the same depths share this part of their errors, so the sum of its outer products is bounded
            by the covariance.
        errors: (N,) reprojection errors on the plane z = 1; see `LinearizedResiduals.errors_at`.
        noise: robust standard deviation of a coordinate of the matches, on the plane z = 1.
        depth_bias: estimated common bias of all inverse depths, which was added to them, 1/m.
        bias_sensitivity: (N,) change of `depth_bias` by one standard deviation of each depth.
        pose_by_bias: (6,) change of the pose by `depth_bias`, for a bias known from elsewhere.
        bias_variance: of `depth_bias`; its effect on the pose is part of `covariance`.
        is_ambiguous: whether another direction of the translation explains the matches nearly as well; `covariance`
            then covers both.
    """

    T_a_b: Array
    covariance: Array
    depth_sensitivity: Array
    errors: Array
    noise: float
    depth_bias: float
    bias_sensitivity: Array
    pose_by_bias: Array
    bias_variance: float
    is_ambiguous: bool = False

    def with_bias(self, bias: float, sigma: float) -> RefinedPose:
        """Return the pose conditioned on an independent estimate of `depth_bias` and its standard deviation, 1/m."""
        change = self.pose_by_bias * (bias - self.depth_bias)
        covariance = self.covariance + (sigma**2 - self.bias_variance) * np.outer(self.pose_by_bias, self.pose_by_bias)
        return replace(
            self,
            T_a_b=se3.retract(self.T_a_b, change),
            covariance=covariance,
            depth_sensitivity=self.depth_sensitivity - np.outer(self.bias_sensitivity, self.pose_by_bias),
            depth_bias=bias,
            bias_sensitivity=np.zeros_like(self.bias_sensitivity),
            bias_variance=sigma**2,
        )


def refine_pose(
    T_a_b: Array,
    matches: NormalizedMatches,
    noise: float,
    least_noise: float,
    observable: ObservableDof = ObservableDof.FULL,
    least_depth_sigma: float = 0.0,
    bias_sigma: float = 0.0,
) -> RefinedPose:
    """Refine a relative pose by IRLS Gauss-Newton with the Cauchy loss, in turns with the scales of the noise.

    Args:
        T_a_b: (4, 4) initial pose of camera b in camera a.
        matches: N matches.
        noise: initial standard deviation of one coordinate of a match, on the plane z = 1.
        least_noise: lower bound of the same.
        observable: degrees of freedom that are estimated.
        least_depth_sigma: lower bound of the relative standard deviation of a depth, for errors in common.
        bias_sigma: prior standard deviation of a common bias of all inverse depths, estimated with the pose, 1/m; 0:
            there is none.
    """
    T, scales, bias = T_a_b, NoiseScales(noise), 0.0
    depth_sigma = np.maximum(matches.sigma, least_depth_sigma * matches.inverse_depth)
    for _ in range(_MAX_STEPS):
        problem = LinearizedResiduals.at(
            T, matches, depth_sigma, scales, observable is ObservableDof.ROTATION_ONLY, bias
        )
        basis = _basis(observable, T[:3, 3], bias_sigma)
        step, decrease = _step(problem, basis, bias)
        T, bias = se3.retract(T, step[:6]), bias + step[6]
        if observable is ObservableDof.UP_TO_SCALE:
            T[:3, 3] *= np.linalg.norm(T_a_b[:3, 3]) / np.linalg.norm(T[:3, 3])
        before, scales = scales, problem.rescaled(least_noise)
        if decrease < _COST_TOLERANCE and abs(scales.noise - before.noise) < _NOISE_TOLERANCE * before.noise:
            break
    # After convergence the last linearization serves for the covariance: the step from it was negligible.
    return _refined(T, problem, basis, scales.noise, bias)


def evaluate_covariance(
    T_a_b: Array, matches: NormalizedMatches, noise: float, observable: ObservableDof
) -> RefinedPose:
    """Return the covariance and errors that `refine_pose` gives for a pose, without refining it.

    Args:
        T_a_b: (4, 4) pose of camera b in camera a.
        matches: N matches.
        noise: standard deviation of one coordinate of a match, on the plane z = 1.
        observable: degrees of freedom that count as estimated.
    """
    at_infinity = observable is ObservableDof.ROTATION_ONLY
    problem = LinearizedResiduals.at(T_a_b, matches, matches.sigma, NoiseScales(noise), at_infinity)
    return _refined(T_a_b, problem, _basis(observable, T_a_b[:3, 3], 0.0), noise, 0.0)


def _refined(T: Array, problem: LinearizedResiduals, basis: Array, noise: float, bias: float) -> RefinedPose:
    covariance, sensitivity = _covariance(problem, basis)
    return RefinedPose(
        T_a_b=T,
        covariance=covariance[:6, :6],
        depth_sensitivity=sensitivity[:, :6],
        errors=problem.errors_at(T),
        noise=noise,
        depth_bias=bias,
        bias_sensitivity=sensitivity[:, 6],
        pose_by_bias=covariance[:6, 6] / max(covariance[6, 6], 1e-300),
        bias_variance=covariance[6, 6],
    )


def _step(problem: LinearizedResiduals, basis: Array, bias: float) -> tuple[Array, float]:
    """Return the (7,) Gauss-Newton step of the reweighted residuals, and twice the decrease that it predicts."""
    J, weight = problem.jacobian(), cauchy_weights(problem.squared)
    weighted = (J * weight).reshape(7, -1)
    H = basis.T @ (weighted @ J.reshape(7, -1).T) @ basis + _prior(basis)
    gradient = basis.T @ (weighted @ problem.residuals.ravel())
    gradient[-1] += bias / basis[6, -1] if bias else 0.0
    step = -np.linalg.lstsq(H, gradient, rcond=None)[0]
    decrease = float(step @ H @ step)
    if decrease < _RELAXED_BELOW * len(weight):
        step *= _over_relaxation(problem, weight)
    return basis @ step, decrease


def _over_relaxation(problem: LinearizedResiduals, weight: Array) -> float:
    """Over-relaxation factor: IRLS overestimates the curvature of the Cauchy loss, which makes its steps too short."""
    curvature = max(float(_curvature(problem).sum()), 1e-9)
    return min(float(np.sum(weight * problem.used)) / curvature, _MAX_RELAXATION)


def _curvature(problem: LinearizedResiduals) -> Array:
    """(N,) traces of the Hessian of the Cauchy loss by the residuals of each match (psi')."""
    count, squared = problem.used.sum(axis=0), problem.squared
    return np.asarray((count + (count - 2.0) * squared) / (1.0 + squared) ** 2)


def _covariance(problem: LinearizedResiduals, basis: Array) -> tuple[Array, Array]:
    """(7, 7) covariance of the M-estimator (Huber and Ronchetti, Robust Statistics, section 7.6), (N, 7) sensitivities.

    Least-squares covariance of the inliers times the correction E[psi^2] / E[psi']^2. The sensitivities to the depths
    are linear in the errors and take the correction only where it reduces them, so that they stay below the covariance.
    """
    squared, count = problem.squared, problem.used.sum(axis=0)
    inlier = squared < SIGNIFICANT_SIGMAS**2
    influence = np.sum((squared / (1.0 + squared) ** 2)[inlier])
    slope = np.sum(_curvature(problem)[inlier])
    total = max(int(count[inlier].sum()), 1)
    degrees_of_freedom = max(total - basis.shape[1], 1)
    factor = influence / degrees_of_freedom / max(slope / total, _MIN_SLOPE) ** 2
    J = problem.jacobian(informative=True) * inlier
    information = J.reshape(7, -1) @ J.reshape(7, -1).T
    least_squares = basis @ np.linalg.pinv(basis.T @ information @ basis + _prior(basis), hermitian=True) @ basis.T
    sensitivity = -np.sqrt(min(factor, 1.0) * problem.depth_share) * (least_squares @ J[:, 1])
    return factor * least_squares, sensitivity.T


def _prior(basis: Array) -> Array:
    """(k + 1, k + 1) prior information: the bias, in units of its standard deviation, is 0 with variance 1."""
    prior = np.zeros((basis.shape[1], basis.shape[1]))
    prior[-1, -1] = 1.0
    return prior


def _basis(observable: ObservableDof, translation: Array, bias_sigma: float) -> Array:
    """(7, k + 1) basis of (dp, dtheta, bias): k free directions of the pose, and one standard deviation of the bias."""
    if observable is ObservableDof.FULL:
        return np.diag([*np.ones(6), bias_sigma])
    basis = np.zeros((7, 6))
    basis[3:6, 2:5] = np.eye(3)
    basis[6, 5] = bias_sigma
    if observable is ObservableDof.ROTATION_ONLY:
        return basis[:, 2:]
    basis[:3, :2] = np.linalg.svd(translation[None])[2][1:].T
    return basis
