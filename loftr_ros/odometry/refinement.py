"""Joint robust refinement of a relative pose over all matches, with and without depth, and its covariance."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.rays import RayMatches
from loftr_ros.odometry.residuals import Linearization, Scales

_ROUNDS = 3
_MAX_STEPS = 10
# The cost grows by 1/2 one standard deviation away from its minimum.
_COST_TOLERANCE = 1e-3
# Residuals beyond this many standard deviations have nothing to do with the noise.
_OUTLIER = 3.0
# Keeps the covariance a number where the residuals have no centre; normal residuals give 0.3 to 0.5.
_LEAST_SLOPE = 0.05


class Freedom(Enum):
    """Which part of the pose the matches determine."""

    POSE = "pose"
    """All six: there is depth."""
    DIRECTION = "direction"
    """Rotation and direction of translation; its length is kept."""
    ROTATION = "rotation"
    """Rotation; the translation is kept."""


@dataclass(frozen=True)
class RefinedPose:
    """A refined relative pose.

    Attributes:
        T_a_b: (4, 4) pose of camera b in camera a.
        covariance: (6, 6) of (x, y, z, rot_x, rot_y, rot_z) in the axes of a (see `se3`); singular where a part of the
            pose is not determined.
        depth_gains: (N, 6) how far an error of one standard deviation of each depth moves the pose: the part of the
            covariance that all poses measured with the same depths have in common. Zero where the depth is unknown.
        errors: (N,) distance of each match from where the pose puts it, on the plane z = 1: across the epipolar line
            only where the depth is unknown, and the less along it the less the depth is certain.
        noise: robust standard deviation of the matches that the residuals show, on the plane z = 1.
    """

    T_a_b: NDArray[np.float64]
    covariance: NDArray[np.float64]
    depth_gains: NDArray[np.float64]
    errors: NDArray[np.float64]
    noise: float


def refine(
    T_a_b: NDArray[np.float64],
    rays: RayMatches,
    noise: float,
    least_noise: float,
    freedom: Freedom = Freedom.POSE,
    least_depth_sigma: float = 0.0,
) -> RefinedPose:
    """Refine a relative pose: Gauss-Newton, iteratively reweighted, in turns with the scales of the noise.

    Args:
        T_a_b: (4, 4) start.
        rays: N matches.
        noise: standard deviation of one coordinate of a match, to start from, on the plane z = 1.
        least_noise: matches are never taken to be more exact than this.
        freedom: which part of the pose is free.
        least_depth_sigma: depths are never taken to be more exact than this share of them, because of errors that they
            have in common.
    """
    T, scales = T_a_b, Scales(noise)
    depth_sigma = np.maximum(rays.sigma, least_depth_sigma * rays.inverse_depth)
    for _ in range(_ROUNDS):
        for _ in range(_MAX_STEPS):
            problem = Linearization.at(T, rays, depth_sigma, scales, freedom is Freedom.ROTATION)
            basis = _basis(freedom, T[:3, 3])
            step, gain = _step(problem, basis)
            T = problem.moved(basis @ step)
            if freedom is Freedom.DIRECTION:
                T[:3, 3] *= np.linalg.norm(T_a_b[:3, 3]) / np.linalg.norm(T[:3, 3])
            if gain < _COST_TOLERANCE:
                break
        problem = Linearization.at(T, rays, depth_sigma, scales, freedom is Freedom.ROTATION)
        scales = problem.rescaled(least_noise)
    covariance, gains = _covariance(problem, _basis(freedom, T[:3, 3]))
    return RefinedPose(T, covariance, gains, problem.errors(), scales.noise)


def robust_cost(T_a_b: NDArray[np.float64], rays: RayMatches, noise: float) -> float:
    """Return what `refine` makes small, at a pose, to compare starts with: the Cauchy loss."""
    return float(np.log1p(Linearization.at(T_a_b, rays, rays.sigma, Scales(noise)).squared()).sum())


def _step(problem: Linearization, basis: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return the (k,) change that makes the reweighted residuals least, and twice how much less that is."""
    residuals, J = problem.residuals(), problem.jacobian() @ basis
    weighted = J / (1.0 + problem.squared()[problem.match])[:, None]
    H = weighted.T @ J
    step = -np.linalg.pinv(H, hermitian=True) @ (weighted.T @ residuals)
    return step, float(step @ H @ step)


def _covariance(problem: Linearization, basis: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(6, 6) covariance of a robust fit (Huber and Ronchetti, Robust Statistics, section 7.6), and `depth_gains`.

    That of least squares, times how much more the residuals that lose their say cost than they save.
    """
    squared, count = problem.squared(), problem.used.sum(axis=1)
    inlier = squared < _OUTLIER**2
    influence = np.sum((squared / (1.0 + squared) ** 2)[inlier])
    slope = np.sum(((count + (count - 2.0) * squared) / (1.0 + squared) ** 2)[inlier])
    total = max(int(count[inlier].sum()), 1)
    factor = influence / total / max(slope / total, _LEAST_SLOPE) ** 2
    J = problem.jacobian(informative=True) @ basis * inlier[problem.match, None]
    least_squares = np.linalg.pinv(J.T @ J, hermitian=True)
    share = problem.depth_share[problem.used]
    gains = np.zeros((*problem.used.shape, 6))
    gains[problem.used] = -np.sqrt(factor * share)[:, None] * (J @ least_squares @ basis.T)
    return factor * basis @ least_squares @ basis.T, gains.sum(axis=1)


def _basis(freedom: Freedom, translation: NDArray[np.float64]) -> NDArray[np.float64]:
    """(6, k) free directions of (dp, dtheta)."""
    if freedom is Freedom.POSE:
        return np.eye(6)
    basis = np.zeros((6, 5))
    basis[3:, 2:] = np.eye(3)
    if freedom is Freedom.ROTATION:
        return basis[:, 2:]
    basis[:3, :2] = np.linalg.svd(translation[None])[2][1:].T
    return basis
