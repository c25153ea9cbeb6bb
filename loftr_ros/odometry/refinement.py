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
from loftr_ros.odometry.rays import homogeneous, triangulate

_ROUNDS = 2
# Matches are never taken to be more exact than this, pixels.
_LEAST_NOISE_PX = 0.03
_MAX_EVALUATIONS = 15
# The cost is about half the number of residuals, and grows by 1/2 one standard deviation away from its minimum.
_COST_TOLERANCE = 1e-5
# Residuals beyond this many standard deviations lose their say (Cauchy loss).
_LOSS_SCALE = 2.0


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
        error_px: (N,) distance of each match from where the pose puts it: across the epipolar line only, where the
            depth is unknown.
        noise_px: robust standard deviation of the matches that the residuals show.
    """

    T_a_b: NDArray[np.float64]
    covariance: NDArray[np.float64]
    error_px: NDArray[np.float64]
    noise_px: float


def refine(
    T_a_b: NDArray[np.float64],
    rays_a: NDArray[np.float64],
    rays_b: NDArray[np.float64],
    inverse_depth: NDArray[np.float64],
    inverse_depth_sigma: NDArray[np.float64],
    focal: float,
    noise_px: float,
    freedom: Freedom = Freedom.POSE,
) -> RefinedPose:
    """Refine a relative pose.

    Args:
        T_a_b: (4, 4) start.
        rays_a, rays_b: (N, 2) undistorted points on the plane z = 1.
        inverse_depth, inverse_depth_sigma: (N,) 1/z in camera a and its standard deviation; NaN where unknown.
        focal: pixels per unit of the plane z = 1.
        noise_px: standard deviation of one coordinate of a match.
        freedom: which part of the pose is free.
    """
    T = T_a_b
    noise = noise_px / focal
    for _ in range(_ROUNDS):
        problem = _Problem.linearize(T, rays_a, rays_b, inverse_depth, inverse_depth_sigma, noise, freedom)
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
        residuals = problem.residuals(solution.x)
        spread = 1.4826 * float(np.median(np.abs(residuals)))
        noise = max(noise * spread, _LEAST_NOISE_PX / focal)
    if freedom is Freedom.DIRECTION:
        T[:3, 3] *= np.linalg.norm(T_a_b[:3, 3]) / np.linalg.norm(T[:3, 3])
    J = np.asarray(solution.jac)  # weighted by the loss
    covariance = spread**2 * problem.basis @ np.linalg.pinv(J.T @ J, hermitian=True) @ problem.basis.T
    return RefinedPose(T, covariance, focal * problem.errors(solution.x), focal * noise)


@dataclass(frozen=True)
class _Problem:
    """Residuals in standard deviations, as a function of a small change of the pose around `T`."""

    T: NDArray[np.float64]
    basis: NDArray[np.float64]  # (6, k): free directions of (dp, dtheta)
    points: NDArray[np.float64]  # (N, 3)
    rays_b: NDArray[np.float64]  # (N, 2)
    rho: NDArray[np.float64]  # (N,)
    rho_sigma: NDArray[np.float64]  # (N,)
    axes: NDArray[np.float64]  # (N, 2, 2): unit vectors across and along the epipolar line, as rows
    used: NDArray[np.bool_]  # (N, 2)
    noise: float

    @staticmethod
    def linearize(
        T: NDArray[np.float64],
        rays_a: NDArray[np.float64],
        rays_b: NDArray[np.float64],
        inverse_depth: NDArray[np.float64],
        inverse_depth_sigma: NDArray[np.float64],
        noise: float,
        freedom: Freedom,
    ) -> _Problem:
        """Fix the epipolar lines at the pose T; the depth of a match that has none is what puts it onto its line."""
        known = np.isfinite(inverse_depth) & np.isfinite(inverse_depth_sigma)
        triangulated, _ = triangulate(rays_a, rays_b, T, noise)
        guess = 0.0 if freedom is Freedom.ROTATION else np.maximum(np.nan_to_num(triangulated), 0.0)
        rho = np.where(known, inverse_depth, guess)
        points = homogeneous(rays_a)
        slope = _slope(T, _in_b(T, points, rho))
        length = np.linalg.norm(slope, axis=1, keepdims=True)
        along = np.where(length > 1e-12, slope / np.maximum(length, 1e-12), [1.0, 0.0])
        across = np.column_stack([-along[:, 1], along[:, 0]])
        return _Problem(
            T,
            _basis(freedom, T[:3, 3]),
            points,
            rays_b,
            rho,
            np.where(known, inverse_depth_sigma, 0.0),
            np.stack([across, along], axis=1),
            np.column_stack([np.ones(len(points), bool), known | (freedom is Freedom.ROTATION)]),
            noise,
        )

    def pose(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply a (k,) change to T."""
        step = self.basis @ change
        return se3.transform(se3.exp_rotation(step[3:]) @ self.T[:3, :3], self.T[:3, 3] + step[:3])

    def residuals(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all used residuals in standard deviations."""
        distance, _, sigma_along = self._distances(self.pose(change))
        distance[:, 0] /= self.noise
        distance[:, 1] /= sigma_along
        return np.asarray(distance[self.used])

    def jacobian(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivative of `residuals` by the change.

        The depth enters as improved by the match itself: that is what the derivative of sigma_along comes to, and
        without it the errors of the depths would pull the translation towards zero.
        """
        T = self.pose(change)
        distance, slope, sigma_along = self._distances(T)
        rho = self.rho - self.rho_sigma**2 * slope * distance[:, 1] / sigma_along**2
        in_a = self.points - rho[:, None] * T[:3, 3]
        # The derivative by the point in b, turned back to the axes of a: rows of (N, 2, 3).
        by_point = self.axes @ _projection(in_a @ T[:3, :3]) @ T[:3, :3].T
        by_point[:, 0] /= self.noise
        by_point[:, 1] /= sigma_along[:, None]
        count = self.used.sum(axis=1)
        by_point, in_a, rho = by_point[self.used], np.repeat(in_a, count, axis=0), np.repeat(rho, count)
        # d(R^T (x - rho p)) = R^T (-rho dp + (x - rho p) x dtheta), and g . (v x dtheta) = (g x v) . dtheta.
        return np.hstack([-rho[:, None] * by_point, np.cross(by_point, in_a)]) @ self.basis

    def errors(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (N,) distances of the matches from where the pose puts them, depth errors discounted."""
        distance, _, sigma_along = self._distances(self.pose(change))
        distance[:, 1] *= self.noise / sigma_along
        return np.asarray(np.linalg.norm(distance * self.used, axis=1))

    def _distances(
        self, T: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(N, 2) distances across and along the line, (N,) derivative of the second by rho, (N,) its deviation."""
        in_b = _in_b(T, self.points, self.rho)
        distance = np.einsum("nij,nj->ni", self.axes, in_b[:, :2] / _positive(in_b[:, 2:]) - self.rays_b)
        slope = (self.axes[:, 1] * _slope(T, in_b)).sum(axis=1)
        return distance, slope, np.hypot(self.noise, slope * self.rho_sigma)


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
