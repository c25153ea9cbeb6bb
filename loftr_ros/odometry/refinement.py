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
from loftr_ros.odometry.depth import triangulate
from loftr_ros.odometry.two_view import homogeneous

_ROUNDS = 2
_MAX_EVALUATIONS = 15
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
            xtol=1e-8,
            ftol=1e-6,
        )
        T = problem.pose(solution.x)
    if freedom is Freedom.DIRECTION:
        T[:3, 3] *= np.linalg.norm(T_a_b[:3, 3]) / np.linalg.norm(T[:3, 3])
    residuals = problem.residuals(solution.x)
    spread = max(1.4826 * float(np.median(np.abs(residuals))), 1e-3)
    return RefinedPose(
        T,
        spread**2 * problem.basis @ np.linalg.pinv(solution.jac.T @ solution.jac, hermitian=True) @ problem.basis.T,
        focal * problem.distances(residuals),
        noise_px * spread,
    )


@dataclass(frozen=True)
class _Problem:
    """Residuals in standard deviations, as a function of a small change of the pose around `T`."""

    T: NDArray[np.float64]
    basis: NDArray[np.float64]  # (6, k): free directions of (dp, dtheta)
    points: NDArray[np.float64]  # (N, 3)
    rays_b: NDArray[np.float64]  # (N, 2)
    rho: NDArray[np.float64]  # (N,)
    axes: NDArray[np.float64]  # (N, 2, 2): unit vectors across and along the epipolar line, as rows
    sigma: NDArray[np.float64]  # (N, 2): their standard deviations
    used: NDArray[np.bool_]  # (N, 2)

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
        """Fix the epipolar lines and the weights at the pose T."""
        known = np.isfinite(inverse_depth) & np.isfinite(inverse_depth_sigma)
        if freedom is Freedom.ROTATION:
            rho = np.where(known, inverse_depth, 0.0)
        else:
            triangulated, _ = triangulate(rays_a, rays_b, T, noise)
            rho = np.where(known, inverse_depth, np.nan_to_num(np.maximum(triangulated, 0.0)))
        points = homogeneous(rays_a)
        slope = np.einsum("nij,j->ni", _projection(_in_b(T, points, rho)), -T[:3, :3].T @ T[:3, 3])
        length = np.linalg.norm(slope, axis=1)
        along = np.where(length[:, None] > 1e-12, slope / np.maximum(length, 1e-12)[:, None], [1.0, 0.0])
        across = np.column_stack([-along[:, 1], along[:, 0]])
        sigma_along = np.hypot(noise, length * np.where(known, inverse_depth_sigma, 0.0))
        used = np.ones((len(points), 2), bool)
        used[:, 1] = known | (freedom is Freedom.ROTATION)
        return _Problem(
            T,
            _basis(freedom, T[:3, 3]),
            points,
            rays_b,
            rho,
            np.stack([across, along], axis=1),
            np.column_stack([np.full(len(points), noise), sigma_along]),
            used,
        )

    def pose(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply a (k,) change to T."""
        step = self.basis @ change
        return se3.transform(se3.exp_rotation(step[3:]) @ self.T[:3, :3], self.T[:3, 3] + step[:3])

    def residuals(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all used residuals in standard deviations."""
        in_b = _in_b(self.pose(change), self.points, self.rho)
        difference = in_b[:, :2] / _positive(in_b[:, 2:]) - self.rays_b
        whitened = np.einsum("nij,nj->ni", self.axes, difference) / self.sigma
        return np.asarray(whitened[self.used])

    def jacobian(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivative of `residuals` by the change."""
        T = self.pose(change)
        R_b_a = T[:3, :3].T
        in_a = self.points - self.rho[:, None] * T[:3, 3]
        by_position = -self.rho[:, None, None] * R_b_a
        by_rotation = R_b_a @ se3.skew(in_a)
        by_pose = _projection(in_a @ T[:3, :3]) @ np.concatenate([by_position, by_rotation], axis=2)
        whitened = self.axes @ by_pose / self.sigma[:, :, None]
        return np.asarray(whitened[self.used] @ self.basis)

    def distances(self, residuals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (N,) lengths of the residuals of each match, each in units of the match's own noise."""
        both = np.zeros(self.used.shape)
        both[self.used] = residuals
        return np.asarray(np.linalg.norm(both, axis=1) * self.sigma[:, 0])


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
