"""Residuals of matches with and without depth around a relative pose, in standard deviations, and their Jacobian.

The point of image a at x (z = 1) and inverse depth rho is transferred to R^T (x - rho p) in camera b, T_a_b = (R, p).
An error of rho moves its image along the epipolar line, so the reprojection error of a match has two residuals:

- across the epipolar line: depends on the pose alone; its noise is that of the match;
- along the line: its noise is that of the match and of the depth together; left out where the depth is unknown.

The first alone is the epipolar distance in image b (the point of image a is the middle of a cell, so it has no noise);
both are the reprojection error; the depth's uncertainty blends between them. This is least squares over the pose and
all depths after the depths have been marginalized (Schur complement).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, transfer, triangulate_rotated
from loftr_ros.odometry.geometry.robust import SIGNIFICANT_SIGMAS, cauchy_cost, sigma_from_mad

# Variance of standard normal residuals without the outliers beyond k = SIGNIFICANT_SIGMAS.
# derived: 1 - 2 k phi(k) / (2 Phi(k) - 1), rounded, with density phi and distribution function Phi.
_TRUNCATED_VARIANCE = 0.973
# Without any prior depth the linearization follows triangulated depths to this many standard deviations from their
# median: inverse depths of a scene have a heavy tail, and too small a depth makes the Jacobian too small and the steps
# overshoot. The limit bounds the leverage of outliers.
# measured: docs/odometry.md, "Heavy-tailed prior of unknown depths in the refinement".
_HEAVY_TAIL_SIGMAS = 10.0
# Prior of the depth noise factor: it is 1 with the weight of this many residuals.
# assumed: a few hundred matches with depth outweigh it.
_PRIOR_COUNT = 50.0
# Upper bound of that factor.
# assumed: wrong matches must not pass as depth errors.
_MAX_DEPTH_FACTOR = 3.0
# Size of the subset of matches that the distribution of the scene's depth is taken from.
# numerical: bounds the run time.
_SUBSET_SIZE = 200
# Least depth in camera b, as a share of that in camera a.
# numerical: guard; a point nearer to camera b has unbounded leverage.
_MIN_RELATIVE_DEPTH = 0.1


@dataclass(frozen=True)
class NoiseScales:
    """Scales of the noise, estimated in turns with the pose.

    Attributes:
        noise: standard deviation of one coordinate of a typical match, on the plane z = 1.
        depth: factor on the standard deviations of the inverse depths.
    """

    noise: float
    depth: float = 1.0


@dataclass(frozen=True)
class LinearizedResiduals:
    """Residuals of N matches around a pose: two each, across and along the epipolar line.

    The matches are the last axis of every array, so each coordinate of all of them is one block of memory.

    Attributes:
        T: (4, 4) T_a_b.
        scales: of the noise.
        points_a: (3, N) homogeneous points of image a, z = 1.
        points_b: (2, N) points of image b.
        rho: (N,) inverse depths of the linearization.
        rho_sigma: (N,) their standard deviations, zero for points at infinity.
        along_offset: (N,) shift along the line by the difference between the measured inverse depth and `rho`.
        axes: (2, 2, N) x and y of the unit vectors across and along.
        sigma: (2, N) standard deviations across and along; infinite where the depth is unknown, so the residual is 0.
        depth_share: (N,) share of the depth noise in the variance along.
        by_depth: (N,) derivatives of the residuals along by the measured inverse depths.
    """

    T: Array
    scales: NoiseScales
    points_a: Array
    points_b: Array
    rho: Array
    rho_sigma: Array
    along_offset: Array
    axes: Array
    sigma: Array
    depth_share: Array
    by_depth: Array

    @staticmethod
    def at(
        T: Array,
        matches: NormalizedMatches,
        depth_sigma: Array,
        scales: NoiseScales,
        at_infinity: bool = False,
        bias: float = 0.0,
    ) -> LinearizedResiduals:
        """Compute the epipolar lines, inverse depths and standard deviations at a pose.

        Args:
            T: (4, 4) T_a_b.
            matches: N matches; `matches.sigma` is the independent error of each depth.
            depth_sigma: (N,) standard deviations of the depths with the errors that they have in common.
            scales: of the noise.
            at_infinity: put matches without depth at infinity (pure rotation) instead of triangulating them.
            bias: is added to all measured inverse depths, 1/m.
        """
        points_a, points_b = matches.columns_a, matches.columns_b
        rotated, baseline = T[:3, :3].T @ points_a, T[:3, :3].T @ T[:3, 3]
        measured_rho = np.where(matches.has_depth, matches.inverse_depth + bias, 0.0)
        # A depth that puts the point behind camera b, or close in front of it, is wrong and has unbounded leverage.
        has_depth = matches.has_depth & (rotated[2] - measured_rho * baseline[2] > _MIN_RELATIVE_DEPTH)
        rho, rho_sigma = _most_likely_rho(
            has_depth,
            measured_rho,
            scales.depth * matches.sigma,
            *triangulate_rotated(rotated, baseline, points_b, scales.noise),
            at_infinity,
        )
        slope = _slope(rotated - rho * baseline[:, None], baseline)
        length = np.sqrt(slope[0] ** 2 + slope[1] ** 2)
        along = slope / np.maximum(length, 1e-12)
        along[0, length < 1e-12] = 1.0
        axes = np.stack([np.stack([-along[1], along[0]]), along], axis=1)
        variance = scales.noise**2 * matches.variance(axes)
        depth_variance = np.where(has_depth, (length * scales.depth * depth_sigma) ** 2, 0.0)
        variance[1] += depth_variance if at_infinity else np.where(has_depth, depth_variance, np.inf)
        sigma = np.sqrt(variance)
        return LinearizedResiduals(
            T=T,
            scales=scales,
            points_a=points_a,
            points_b=points_b,
            rho=rho,
            rho_sigma=rho_sigma,
            along_offset=length * np.where(has_depth, measured_rho - rho, 0.0),
            axes=axes,
            sigma=sigma,
            depth_share=depth_variance / variance[1],
            by_depth=np.where(has_depth, length / sigma[1], 0.0),
        )

    @staticmethod
    def with_nominal_noise(T: Array, matches: NormalizedMatches, noise: float) -> LinearizedResiduals:
        """Linearize with assumed noise and the depths' own standard deviations, which suffices to compare poses."""
        return LinearizedResiduals.at(T, matches, matches.sigma, NoiseScales(noise))

    @property
    def used(self) -> NDArray[np.bool_]:
        """(2, N) where there is a residual."""
        return np.isfinite(self.sigma)

    @cached_property
    def squared(self) -> Array:
        """(N,) squared residuals of each match, summed: the robust loss weights a match as a whole."""
        across, along = self.residuals
        return np.asarray(across**2 + along**2)

    @property
    def cost(self) -> float:
        """Cauchy loss of all matches, which the refinement minimizes."""
        return cauchy_cost(self.squared)

    @cached_property
    def residuals(self) -> Array:
        """(2, N) residuals at T, in standard deviations; zero where there is none."""
        return self.residuals_at(self.T)

    def residuals_at(self, T: Array) -> Array:
        """Return the (2, N) residuals at another pose, with the lines and weights of this one."""
        return self._distances(T) / self.sigma

    def jacobian(self, informative: bool = False) -> Array:
        """Return the (7, 2, N) derivative of `residuals` by the change of T (see `se3`) and a bias of inverse depth.

        Args:
            informative: take E[rho]^2 instead of E[rho^2] for the position, whose excess, the variance of `rho`, is no
                information (errors in variables).
        """
        R, p = self.T[:3, :3], self.T[:3, 3]
        in_a = self.points_a - self.rho * p[:, None]
        x, y, z = R.T @ in_a
        z = _clamped(z)
        axis_x, axis_y = self.axes / (z * self.sigma)
        # The derivative by the point in b, rotated to the axes of a.
        by_point = np.stack([axis_x, axis_y, -(axis_x * x + axis_y * y) / z])
        by_point = (R @ by_point.reshape(3, -1)).reshape(by_point.shape)
        rho = np.sqrt(np.maximum(self.rho**2 - self.rho_sigma**2, 0.0)) if informative else self.rho
        # d(R^T (x - rho p)) = R^T (-rho dp + (x - rho p) x dtheta), and g . (v x dtheta) = (g x v) . dtheta.
        J = np.zeros((7, *self.sigma.shape))
        J[:3] = -rho * by_point
        for axis, (one, other) in enumerate(((1, 2), (2, 0), (0, 1))):
            J[3 + axis] = by_point[one] * in_a[other] - by_point[other] * in_a[one]
        J[6, 1] = self.by_depth
        return J

    def errors_at(self, T: Array) -> Array:
        """Return the (N,) reprojection errors at a pose on the plane z = 1, without the share of the depth noise."""
        across, along = self._distances(T) * self.used
        return np.sqrt(across**2 + (1.0 - self.depth_share) * along**2)

    def rescaled(self, least_noise: float) -> NoiseScales:
        """Re-estimate the scales from the inliers' residuals: maximum likelihood by one fixed-point iteration."""
        used = self.used
        size = np.abs(self.residuals[used])
        inlier = size <= SIGNIFICANT_SIGMAS * sigma_from_mad(size)
        share = np.append(np.zeros(used[0].sum()), self.depth_share[used[1]])[inlier]
        squared = size[inlier] ** 2 / _TRUNCATED_VARIANCE
        noise = self.scales.noise * np.sqrt(np.sum((1.0 - share) * squared) / max(np.sum(1.0 - share), 1e-9))
        depth_squared = self.scales.depth**2 * np.sum(share * squared)
        depth = np.sqrt((depth_squared + _PRIOR_COUNT) / (np.sum(share) + _PRIOR_COUNT))
        return NoiseScales(noise=max(float(noise), least_noise), depth=min(float(depth), _MAX_DEPTH_FACTOR))

    def _distances(self, T: Array) -> Array:
        """(2, N) reprojection errors across and along the epipolar lines, on the plane z = 1."""
        in_b = transfer(self.points_a, self.rho, T)
        residual = in_b[:2] / _clamped(in_b[2]) - self.points_b
        distances = self.axes[0] * residual[0] + self.axes[1] * residual[1]
        distances[1] += self.along_offset
        return np.asarray(distances)


def _most_likely_rho(
    has_depth: NDArray[np.bool_],
    measured_rho: Array,
    measured_sigma: Array,
    triangulated_rho: Array,
    triangulated_sigma: Array,
    at_infinity: bool,
) -> tuple[Array, Array]:
    """(N,) inverse depths of the linearization and their standard deviations: measurement and triangulation fused.

    A match without a measured depth gets the distribution of the other triangulated depths as its prior. Linearizing at
    the measured depths instead puts their errors into residuals and Jacobian at once, which shortens every translation
    (errors in variables; this is the regression calibration of Carroll et al., Measurement Error in Nonlinear Models).
    """
    visible = np.isfinite(triangulated_rho)
    median, deviation = 0.0, 0.0
    if not at_infinity and visible.any() and not has_depth.all():
        subset = triangulated_rho[visible][:: max(len(triangulated_rho) // _SUBSET_SIZE, 1)]
        median = float(np.median(subset))
        deviation = sigma_from_mad(subset - median)
    value, sigma = np.where(has_depth, measured_rho, median), np.where(has_depth, measured_sigma, deviation)
    gain = np.where(visible, sigma**2 / (sigma**2 + triangulated_sigma**2), 0.0)
    shift = gain * np.where(visible, triangulated_rho - value, 0.0)
    limit = (SIGNIFICANT_SIGMAS if has_depth.any() else _HEAVY_TAIL_SIGMAS) * sigma
    shift = np.maximum(np.minimum(shift, limit), -limit)
    return np.maximum(value + shift, 0.0), np.sqrt(1.0 - gain) * sigma


def _slope(in_b: Array, baseline: Array) -> Array:
    """(2, N) derivative of the projected points by their inverse depth: along the epipolar line."""
    z = _clamped(in_b[2])
    return np.asarray((in_b[:2] / z * baseline[2] - baseline[:2, None]) / z)


def _clamped(z: Array) -> Array:
    """Clamp depths above zero: the projection stays finite for points that a wrong pose puts behind the camera."""
    return np.maximum(z, 1e-3)
