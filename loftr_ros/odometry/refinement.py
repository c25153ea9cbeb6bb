"""Joint robust refinement of a relative pose over all matches, with and without depth.

The point of image a at ray x (z = 1) and inverse depth rho lies in camera b along R^T (x - rho p), with T_a_b = (R, p).
An error of rho moves its image along the epipolar line. So the residual of a match is split into two:

- across the epipolar line: depends on the pose alone; its noise is that of the match;
- along the line: its noise is that of the match and of the depth together; left out where the depth is unknown.

The first alone is the epipolar distance in image b (the point of image a is a grid cell, so it has no noise), both are
the reprojection error, and a poor depth slides from one to the other by its own uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from loftr_ros.odometry import se3
from loftr_ros.odometry.rays import RayMatches, homogeneous, triangulate

_ROUNDS = 2
_MAX_EVALUATIONS = 15
# The cost is about half the number of residuals, and grows by 1/2 one standard deviation away from its minimum.
_COST_TOLERANCE = 1e-4
# Residuals beyond this many standard deviations lose their say (Cauchy loss).
_LOSS_SCALE = 1.0
# ... and beyond this many they have nothing to do with the noise.
_OUTLIER = 3.0
# Keeps the covariance a number where the residuals have no centre; normal residuals give 0.34.
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
        errors: (N,) distance of each match from where the pose puts it, on the plane z = 1: across the epipolar line
            only where the depth is unknown, and the less along it the less the depth is certain.
        noise: robust standard deviation of the matches that the residuals show, on the plane z = 1.
    """

    T_a_b: NDArray[np.float64]
    covariance: NDArray[np.float64]
    errors: NDArray[np.float64]
    noise: float


def refine(
    T_a_b: NDArray[np.float64], rays: RayMatches, noise: float, least_noise: float, freedom: Freedom = Freedom.POSE
) -> RefinedPose:
    """Refine a relative pose.

    Args:
        T_a_b: (4, 4) start.
        rays: N matches.
        noise: standard deviation of one coordinate of a match, to start from, on the plane z = 1.
        least_noise: matches are never taken to be more exact than this.
        freedom: which part of the pose is free.
    """
    T = T_a_b
    for _ in range(_ROUNDS):
        problem = _Problem.linearize(T, rays, noise, freedom)
        solution = least_squares(
            problem.residuals,
            np.zeros(problem.basis.shape[1]),
            problem.jacobian,
            loss="cauchy",
            f_scale=_LOSS_SCALE,
            max_nfev=_MAX_EVALUATIONS,
            ftol=_COST_TOLERANCE,
        )
        T = problem.pose(solution.x)
        noise = max(noise * _spread(solution.fun), least_noise)
    if freedom is Freedom.DIRECTION:
        T[:3, 3] *= np.linalg.norm(T_a_b[:3, 3]) / np.linalg.norm(T[:3, 3])
    covariance = problem.basis @ _covariance(solution.fun, problem.jacobian(solution.x)) @ problem.basis.T
    return RefinedPose(T, covariance, problem.errors(solution.x), noise)


def _spread(residuals: NDArray[np.float64]) -> float:
    """Standard deviation of the residuals that are no outliers."""
    size = np.abs(residuals)
    inliers = residuals[size <= _OUTLIER * 1.4826 * np.median(size)]
    return float(np.sqrt(np.mean(inliers**2)))


def _covariance(residuals: NDArray[np.float64], J: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k, k) covariance of a robust fit (Huber and Ronchetti, Robust Statistics, section 7.6).

    That of least squares, times how much more the residuals that lose their say cost than they save.
    """
    squared = (residuals / _LOSS_SCALE) ** 2
    influence = residuals / (1.0 + squared)
    slope = (1.0 - squared) / (1.0 + squared) ** 2
    factor = np.mean(influence**2) / max(float(np.mean(slope)), _LEAST_SLOPE) ** 2
    return np.asarray(factor * np.linalg.pinv(J.T @ J, hermitian=True))


def robust_cost(T_a_b: NDArray[np.float64], rays: RayMatches, noise: float) -> float:
    """Return what `refine` makes small, at a pose, to compare starts with."""
    problem = _Problem.linearize(T_a_b, rays, noise, Freedom.POSE)
    residuals = problem.residuals(np.zeros(6))
    return float(np.log1p((residuals / _LOSS_SCALE) ** 2).sum())


@dataclass(frozen=True)
class _Problem:
    """Residuals in standard deviations, as a function of a small change of the pose around `T`."""

    T: NDArray[np.float64]
    basis: NDArray[np.float64]  # (6, k): free directions of (dp, dtheta)
    points: NDArray[np.float64]  # (N, 3)
    rays_b: NDArray[np.float64]  # (N, 2)
    rho: NDArray[np.float64]  # (N,)
    axes: NDArray[np.float64]  # (N, 2, 2): unit vectors across and along the epipolar line, as rows
    sigma: NDArray[np.float64]  # (N, 2): the standard deviations across and along
    used: NDArray[np.bool_]  # (N, 2)

    @staticmethod
    def linearize(T: NDArray[np.float64], rays: RayMatches, noise: float, freedom: Freedom) -> _Problem:
        """Fix the epipolar lines and weights at the pose T; a match without depth gets what puts it onto its line."""
        known = rays.known
        triangulated, _ = triangulate(rays.a, rays.b, T, noise)
        guess = 0.0 if freedom is Freedom.ROTATION else np.maximum(np.nan_to_num(triangulated), 0.0)
        rho = np.where(known, rays.inverse_depth, guess)
        points = homogeneous(rays.a)
        slope = _slope(T, _in_b(T, points, rho))
        length = np.linalg.norm(slope, axis=1, keepdims=True)
        along = np.where(length > 1e-12, slope / np.maximum(length, 1e-12), [1.0, 0.0])
        across = np.column_stack([-along[:, 1], along[:, 0]])
        sigma_across = noise * rays.deviation(across)
        sigma_along = np.hypot(noise * rays.deviation(along), length[:, 0] * np.where(known, rays.sigma, 0.0))
        return _Problem(
            T,
            _basis(freedom, T[:3, 3]),
            points,
            rays.b,
            rho,
            np.stack([across, along], axis=1),
            np.column_stack([sigma_across, sigma_along]),
            np.column_stack([np.ones(len(points), bool), known | (freedom is Freedom.ROTATION)]),
        )

    def pose(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply a (k,) change to T."""
        step = self.basis @ change
        return se3.transform(se3.exp_rotation(step[3:]) @ self.T[:3, :3], self.T[:3, 3] + step[:3])

    def residuals(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all used residuals in standard deviations."""
        return np.asarray((self._distances(change) / self.sigma)[self.used])

    def jacobian(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivative of `residuals` by the change."""
        T = self.pose(change)
        in_a = self.points - self.rho[:, None] * T[:3, 3]
        # The derivative by the point in b, turned back to the axes of a: rows of (N, 2, 3).
        by_point = self.axes @ _projection(in_a @ T[:3, :3]) @ T[:3, :3].T / self.sigma[:, :, None]
        count = self.used.sum(axis=1)
        by_point, in_a, rho = by_point[self.used], np.repeat(in_a, count, axis=0), np.repeat(self.rho, count)
        # d(R^T (x - rho p)) = R^T (-rho dp + (x - rho p) x dtheta), and g . (v x dtheta) = (g x v) . dtheta.
        return np.hstack([-rho[:, None] * by_point, np.cross(by_point, in_a)]) @ self.basis

    def errors(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (N,) distances of the matches from where the pose puts them, depth errors discounted."""
        discounted = self._distances(change) * self.sigma[:, :1] / self.sigma
        return np.asarray(np.linalg.norm(discounted * self.used, axis=1))

    def _distances(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) distances of the matches from their places, across and along their epipolar lines."""
        in_b = _in_b(self.pose(change), self.points, self.rho)
        return np.asarray(np.einsum("nij,nj->ni", self.axes, in_b[:, :2] / _positive(in_b[:, 2:]) - self.rays_b))


def _slope(T_a_b: NDArray[np.float64], in_b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) derivative of the projected points by their inverse depth: along the epipolar line."""
    towards_a = -T_a_b[:3, 3] @ T_a_b[:3, :3]
    z = _positive(in_b[:, 2:])
    return np.asarray((towards_a[:2] - in_b[:, :2] / z * towards_a[2]) / z)


def _in_b(T_a_b: NDArray[np.float64], points: NDArray[np.float64], rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of camera a at inverse depth rho, in camera b, up to their (positive) scale."""
    return np.asarray((points - rho[:, None] * T_a_b[:3, 3]) @ T_a_b[:3, :3])


def _positive(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep the projection finite for points that a wrong pose puts behind the camera."""
    return np.maximum(z, 1e-3)


def _projection(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2, 3) derivative of (x, y, z) -> (x/z, y/z)."""
    z = _positive(points[:, 2])
    derivative = np.zeros((len(points), 2, 3))
    derivative[:, 0, 0] = derivative[:, 1, 1] = 1.0 / z
    derivative[:, :, 2] = -points[:, :2] / z[:, None] ** 2
    return derivative


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
