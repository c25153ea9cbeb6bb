"""Joint robust refinement of a relative pose over all matches, with and without depth, and its covariance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.pose.residuals import Linearization, NoiseScales

_MAX_STEPS = 8
# The cost grows by 1/2 one standard deviation away from its minimum; twice that, and a share of the noise.
_COST_TOLERANCE, _NOISE_TOLERANCE = 0.1, 0.1
# Where a step gains each match less than this the residuals are noise, and such steps too short. They are made longer,
# but not twice as long: up to there the cost still never grows.
_NEAR, _LONGEST = 0.1, 1.8
# Residuals beyond this many standard deviations have nothing to do with the noise.
_OUTLIER = 3.0
# Keeps the covariance a number where the residuals have no centre; normal residuals give 0.3 to 0.5.
_LEAST_SLOPE = 0.05


class ObservableDof(Enum):
    """Which part of the pose the matches determine."""

    FULL = "full"
    """All six: there is depth."""
    UP_TO_SCALE = "up to scale"
    """Rotation and direction of translation; its length is kept."""
    ROTATION_ONLY = "rotation only"
    """Rotation; the translation is kept."""


@dataclass(frozen=True)
class RefinedPose:
    """A refined relative pose.

    Attributes:
        T_a_b: (4, 4) pose of camera b in camera a.
        covariance: (6, 6) of (x, y, z, rot_x, rot_y, rot_z) in the axes of a (see `se3`); singular where a part of the
            pose is not determined.
        depth_sensitivity: (N, 6) how far an error of one standard deviation of each depth moves the pose: the part of
            the covariance that all poses measured with the same depths have in common, so their sum of outer products
            is never larger than it. Zero where the depth is unknown.
        errors: (N,) distance of each match from where the pose puts it, on the plane z = 1: across the epipolar line
            only where the depth is unknown, and the less along it the less the depth is certain.
        noise: robust standard deviation of the matches that the residuals show, on the plane z = 1.
        depth_offset: what was added to all inverse depths.
        offset_gains: (N,) likewise for `depth_offset`.
        by_offset: (6,) change of the pose by that of the offset, if this is known better from elsewhere.
        offset_variance: of `depth_offset`, which is part of `covariance`.
        is_ambiguous: whether another direction of the translation explains the matches nearly as well; `covariance`
            then covers both.
    """

    T_a_b: Array
    covariance: Array
    depth_sensitivity: Array
    errors: Array
    noise: float
    depth_offset: float
    offset_gains: Array
    by_offset: Array
    offset_variance: float
    is_ambiguous: bool = False

    def with_offset(self, offset: float, sigma: float) -> RefinedPose:
        """Return the pose that goes with another `depth_offset`, not learned from these depths, and its covariance."""
        change = self.by_offset * (offset - self.depth_offset)
        covariance = self.covariance + (sigma**2 - self.offset_variance) * np.outer(self.by_offset, self.by_offset)
        return replace(
            self,
            T_a_b=se3.retract(self.T_a_b, change),
            covariance=covariance,
            depth_sensitivity=self.depth_sensitivity - np.outer(self.offset_gains, self.by_offset),
            depth_offset=offset,
            offset_gains=np.zeros_like(self.offset_gains),
            offset_variance=sigma**2,
        )


def refine_pose(
    T_a_b: Array,
    rays: NormalizedMatches,
    noise: float,
    least_noise: float,
    observable: ObservableDof = ObservableDof.FULL,
    least_depth_sigma: float = 0.0,
    offset_sigma: float = 0.0,
) -> RefinedPose:
    """Refine a relative pose: Gauss-Newton, iteratively reweighted, in turns with the scales of the noise.

    Args:
        T_a_b: (4, 4) start.
        rays: N matches.
        noise: standard deviation of one coordinate of a match, to start from, on the plane z = 1.
        least_noise: matches are never taken to be more exact than this.
        observable: which part of the pose is free.
        least_depth_sigma: depths are never taken to be more exact than this share of them, because of errors that they
            have in common.
        offset_sigma: standard deviation of an error that all inverse depths have in common, and that is sought with the
            pose; 0: there is none.
    """
    T, scales, offset = T_a_b, NoiseScales(noise), 0.0
    depth_sigma = np.maximum(rays.sigma, least_depth_sigma * rays.inverse_depth)
    for _ in range(_MAX_STEPS):
        problem = Linearization.at(T, rays, depth_sigma, scales, observable is ObservableDof.ROTATION_ONLY, offset)
        basis = _basis(observable, T[:3, 3], offset_sigma)
        step, gain = _step(problem, basis, offset)
        T, offset = se3.retract(T, step[:6]), offset + step[6]
        if observable is ObservableDof.UP_TO_SCALE:
            T[:3, 3] *= np.linalg.norm(T_a_b[:3, 3]) / np.linalg.norm(T[:3, 3])
        before, scales = scales, problem.rescaled(least_noise)
        if gain < _COST_TOLERANCE and abs(scales.noise - before.noise) < _NOISE_TOLERANCE * before.noise:
            break
    # The last step was so small that the problem before it tells as much of the uncertainty as the one after it.
    return _refined(T, problem, basis, scales.noise, offset)


def evaluate_covariance(T_a_b: Array, rays: NormalizedMatches, noise: float, observable: ObservableDof) -> RefinedPose:
    """Return what `refine_pose` says about a pose, without refining it."""
    problem = Linearization.at(T_a_b, rays, rays.sigma, NoiseScales(noise), observable is ObservableDof.ROTATION_ONLY)
    return _refined(T_a_b, problem, _basis(observable, T_a_b[:3, 3], 0.0), noise, 0.0)


def _refined(T: Array, problem: Linearization, basis: Array, noise: float, offset: float) -> RefinedPose:
    covariance, gains = _covariance(problem, basis)
    by_offset = covariance[:6, 6] / max(covariance[6, 6], 1e-300)
    return RefinedPose(
        T_a_b=T,
        covariance=covariance[:6, :6],
        depth_sensitivity=gains[:, :6],
        errors=problem.errors_at(T),
        noise=noise,
        depth_offset=offset,
        offset_gains=gains[:, 6],
        by_offset=by_offset,
        offset_variance=covariance[6, 6],
    )


def _step(problem: Linearization, basis: Array, offset: float) -> tuple[Array, float]:
    """Return the (7,) change that makes the reweighted residuals least, and twice how much less that is."""
    J, weight = problem.jacobian(), 1.0 / (1.0 + problem.squared)
    weighted = (J * weight).reshape(7, -1)
    H = basis.T @ (weighted @ J.reshape(7, -1).T) @ basis + _prior(basis)
    gradient = basis.T @ (weighted @ problem.residuals.ravel())
    gradient[-1] += offset / basis[6, -1] if offset else 0.0
    step = -np.linalg.lstsq(H, gradient, rcond=None)[0]
    gain = float(step @ H @ step)
    if gain < _NEAR * len(weight):
        step *= _over_relaxation(problem, weight)
    return basis @ step, gain


def _over_relaxation(problem: Linearization, weight: Array) -> float:
    """By how much a step is too short: the weights stand for a curvature of the loss that is larger than the true."""
    curvature = max(float(_curvature(problem).sum()), 1e-9)
    return min(float(np.sum(weight * problem.used)) / curvature, _LONGEST)


def _curvature(problem: Linearization) -> Array:
    """(N,) second derivatives of the Cauchy loss by the residuals of each match, their sum."""
    count, squared = problem.used.sum(axis=0), problem.squared
    return np.asarray((count + (count - 2.0) * squared) / (1.0 + squared) ** 2)


def _covariance(problem: Linearization, basis: Array) -> tuple[Array, Array]:
    """(7, 7) covariance of a robust fit (Huber and Ronchetti, Robust Statistics, section 7.6), and (N, 7) depth gains.

    That of least squares, times the correction E[psi^2] / E[psi']^2 of an M-estimator. What two fits have in common is
    only the part that is linear in the errors, which has no such factor; but it is never more than the whole.
    """
    squared, count = problem.squared, problem.used.sum(axis=0)
    inlier = squared < _OUTLIER**2
    influence = np.sum((squared / (1.0 + squared) ** 2)[inlier])
    slope = np.sum(_curvature(problem)[inlier])
    total = max(int(count[inlier].sum()), 1)
    left = max(total - basis.shape[1], 1)  # degrees of freedom
    factor = influence / left / max(slope / total, _LEAST_SLOPE) ** 2
    J = problem.jacobian(informative=True) * inlier
    information = J.reshape(7, -1) @ J.reshape(7, -1).T
    least_squares = basis @ np.linalg.pinv(basis.T @ information @ basis + _prior(basis), hermitian=True) @ basis.T
    gains = -np.sqrt(min(factor, 1.0) * problem.depth_share) * (least_squares @ J[:, 1])
    return factor * least_squares, gains.T


def _prior(basis: Array) -> Array:
    """(k + 1, k + 1) what is known before: the offset is zero give or take one unit, its standard deviation."""
    prior = np.zeros((basis.shape[1], basis.shape[1]))
    prior[-1, -1] = 1.0
    return prior


def _basis(observable: ObservableDof, translation: Array, offset_sigma: float) -> Array:
    """(7, k + 1) free directions of (dp, dtheta, offset): k of the pose, and the offset in units of its deviation."""
    if observable is ObservableDof.FULL:
        return np.diag([*np.ones(6), offset_sigma])
    basis = np.zeros((7, 6))
    basis[3:6, 2:5] = np.eye(3)
    basis[6, 5] = offset_sigma
    if observable is ObservableDof.ROTATION_ONLY:
        return basis[:, 2:]
    basis[:3, :2] = np.linalg.svd(translation[None])[2][1:].T
    return basis
