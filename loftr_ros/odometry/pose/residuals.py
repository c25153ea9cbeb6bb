"""How far matches are from where a pose puts them, in standard deviations.

The point of image a at ray x (z = 1) and inverse depth rho lies in camera b along R^T (x - rho p), with T_a_b = (R, p).
An error of rho moves its image along the epipolar line. So the residual of a match is split into two:

- across the epipolar line: depends on the pose alone; its noise is that of the match;
- along the line: its noise is that of the match and of the depth together; left out where the depth is unknown.

The first alone is the epipolar distance in image b (the point of image a is a grid cell, so it has no noise), both are
the reprojection error, and a poor depth slides from one to the other by its own uncertainty. This is what remains of
least squares over the pose and all depths when the depths are eliminated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, inverse_depths

# Residuals beyond this many standard deviations have nothing to do with the noise.
_OUTLIER = 3.0
# Where no depth is known, triangulated ones are followed to this many standard deviations from their median, since the
# inverse depths of a scene have a heavy tail: at too small a depth the Jacobian is too small, and the steps overshoot.
# Without a limit an outlier's leverage has none. Measured on simulated pairs: _OUTLIER doubles the median error of the
# direction, 30 and 1000 equal 10. Where other depths are known, _OUTLIER has a 15 % smaller drift in the corridor.
_HEAVY_TAIL = 10.0
# ... and the normal ones among the others have this variance.
_TRUNCATED_VARIANCE = 0.973
# The noise that depths are said to have counts as much as this many residuals that show it.
_PRIOR_COUNT = 50.0
# ... and is at most so many times what they are said to be; else matches that are wrong pass for wrong depths.
_LARGEST_DEPTH_FACTOR = 3.0
# About so many matches tell how deep the scene is.
_MANY = 200
# Least depth in camera b, as a share of that in camera a.
_NEAREST = 0.1


@dataclass(frozen=True)
class NoiseScales:
    """How large the noise is.

    Attributes:
        noise: standard deviation of one coordinate of a typical match, on the plane z = 1.
        depth: errors of depths as a multiple of what they are said to be.
    """

    noise: float
    depth: float = 1.0


@dataclass(frozen=True)
class Linearization:
    """Residuals of N matches around a pose T: two each, across and along the epipolar line.

    The matches are the last axis of every array, so that a coordinate of all of them lies in one piece of memory.

    Attributes:
        T: (4, 4).
        scales: of the noise.
        points: (3, N) points of image a, z = 1.
        rays_b: (2, N) points of image b.
        rho: (N,) inverse depths.
        rho_sigma: (N,) their standard deviations, zero for points at infinity.
        slide: (N,) how far along its line a point is moved by what its known depth differs from `rho`.
        axes: (2, 2, N) x and y of the unit vectors across and along.
        sigma: (2, N) standard deviations across and along; infinite where the depth is unknown, and so no residual.
        depth_share: (N,) share of the depth in the variance along.
        by_depth: (N,) derivatives of the residuals along by the known inverse depths.
    """

    T: Array
    scales: NoiseScales
    points: Array
    rays_b: Array
    rho: Array
    rho_sigma: Array
    slide: Array
    axes: Array
    sigma: Array
    depth_share: Array
    by_depth: Array

    @staticmethod
    def at(
        T: Array,
        rays: NormalizedMatches,
        depth_sigma: Array,
        scales: NoiseScales,
        at_infinity: bool = False,
        offset: float = 0.0,
    ) -> Linearization:
        """Fix the epipolar lines and weights at the pose T.

        Args:
            T: (4, 4) T_a_b.
            rays: N matches; `rays.sigma` is what each depth errs by itself.
            depth_sigma: (N,) what it errs in all.
            scales: of the noise.
            at_infinity: matches without depth are infinitely far away; else they are where they are on their line.
            offset: is added to all inverse depths.
        """
        points, rays_b = rays.columns_a, rays.columns_b
        turned, baseline = T[:3, :3].T @ points, T[:3, :3].T @ T[:3, 3]
        told = np.where(rays.known, rays.inverse_depth + offset, 0.0)
        # A depth that puts the point behind camera b, or right before it, is wrong, and has a leverage without bounds.
        known = rays.known & (turned[2] - told * baseline[2] > _NEAREST)
        seen = inverse_depths(turned, baseline, rays_b, scales.noise)
        rho, rho_sigma = _likeliest_depth(known, told, scales.depth * rays.sigma, *seen, at_infinity)
        slope = _slope(turned - rho * baseline[:, None], baseline)
        length = np.sqrt(slope[0] ** 2 + slope[1] ** 2)
        along = slope / np.maximum(length, 1e-12)
        along[0, length < 1e-12] = 1.0
        axes = np.stack([np.stack([-along[1], along[0]]), along], axis=1)
        variance = scales.noise**2 * rays.variance(axes)
        of_depth = np.where(known, (length * scales.depth * depth_sigma) ** 2, 0.0)
        variance[1] += of_depth if at_infinity else np.where(known, of_depth, np.inf)
        sigma = np.sqrt(variance)
        return Linearization(
            T,
            scales,
            points,
            rays_b,
            rho,
            rho_sigma,
            length * np.where(known, told - rho, 0.0),
            axes,
            sigma,
            of_depth / variance[1],
            np.where(known, length / sigma[1], 0.0),
        )

    @staticmethod
    def rough(T: Array, rays: NormalizedMatches, noise: float) -> Linearization:
        """Fix them by noise that is guessed and depths as they are, which is enough to compare poses."""
        return Linearization.at(T, rays, rays.sigma, NoiseScales(noise))

    @property
    def used(self) -> NDArray[np.bool_]:
        """(2, N) where there is a residual."""
        return np.isfinite(self.sigma)

    @cached_property
    def squared(self) -> Array:
        """(N,) sums of the squares of the residuals of each match: a match is wrong as a whole, or not."""
        across, along = self.residuals
        return np.asarray(across**2 + along**2)

    @property
    def cost(self) -> float:
        """What refinement makes small: the Cauchy loss of all matches."""
        return float(np.log1p(self.squared).sum())

    @cached_property
    def residuals(self) -> Array:
        """(2, N) residuals in standard deviations, at T; zero where there is none."""
        return self.residuals_at(self.T)

    def residuals_at(self, T: Array) -> Array:
        """Return what they are at another pose, the lines and weights being the same."""
        return self._distances(T) / self.sigma

    def jacobian(self, informative: bool = False) -> Array:
        """Return the (7, 2, N) derivative of `residuals` by the change of T and by an offset of all inverse depths.

        Args:
            informative: make it less by what errors of `rho` add to its square, which tells nothing of the position.
        """
        R, p = self.T[:3, :3], self.T[:3, 3]
        in_a = self.points - self.rho * p[:, None]
        x, y, z = R.T @ in_a
        z = _positive(z)
        axis_x, axis_y = self.axes / (z * self.sigma)
        # The derivative by the point in b, turned back to the axes of a.
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
        """Return the (N,) distances of the matches from where a pose puts them, depth errors discounted."""
        across, along = self._distances(T) * self.used
        return np.sqrt(across**2 + (1.0 - self.depth_share) * along**2)

    def rescaled(self, least_noise: float) -> NoiseScales:
        """Return the scales that the residuals show, outliers left out: the likeliest variances, by fixed point."""
        used = self.used
        size = np.abs(self.residuals[used])
        inlier = size <= _OUTLIER * 1.4826 * np.median(size)
        share = np.append(np.zeros(used[0].sum()), self.depth_share[used[1]])[inlier]
        squared = size[inlier] ** 2 / _TRUNCATED_VARIANCE
        noise = self.scales.noise * np.sqrt(np.sum((1.0 - share) * squared) / max(np.sum(1.0 - share), 1e-9))
        shown = self.scales.depth**2 * np.sum(share * squared)
        depth = np.sqrt((shown + _PRIOR_COUNT) / (np.sum(share) + _PRIOR_COUNT))
        return NoiseScales(max(float(noise), least_noise), min(float(depth), _LARGEST_DEPTH_FACTOR))

    def _distances(self, T: Array) -> Array:
        """(2, N) distances of the matches from their places, across and along their epipolar lines."""
        in_b = _in_b(T, self.points, self.rho)
        miss = in_b[:2] / _positive(in_b[2]) - self.rays_b
        distances = self.axes[0] * miss[0] + self.axes[1] * miss[1]
        distances[1] += self.slide
        return np.asarray(distances)


def _likeliest_depth(
    known: NDArray[np.bool_],
    told: Array,
    told_sigma: Array,
    seen: Array,
    seen_sigma: Array,
    at_infinity: bool,
) -> tuple[Array, Array]:
    """(N,) inverse depths at which to linearize, and standard deviations: by depth and match together, or by one alone.

    A depth that is not known is likely to be as those of the other matches, as the pose shows them. At the known depths
    instead, their errors are in the residuals and in the Jacobian at once, which makes every translation come out short
    (errors in variables; this is the regression calibration of Carroll et al., Measurement Error in Nonlinear Models).
    """
    visible = np.isfinite(seen)
    middle, spread = 0.0, 0.0
    if not at_infinity and visible.any() and not known.all():
        some = seen[visible][:: max(len(seen) // _MANY, 1)]
        middle = float(np.median(some))
        spread = 1.4826 * float(np.median(np.abs(some - middle)))
    value, sigma = np.where(known, told, middle), np.where(known, told_sigma, spread)
    share = np.where(visible, sigma**2 / (sigma**2 + seen_sigma**2), 0.0)
    shift = share * np.where(visible, seen - value, 0.0)
    limit = (_OUTLIER if known.any() else _HEAVY_TAIL) * sigma
    shift = np.maximum(np.minimum(shift, limit), -limit)
    return np.maximum(value + shift, 0.0), np.sqrt(1.0 - share) * sigma


def _slope(in_b: Array, baseline: Array) -> Array:
    """(2, N) derivative of the projected points by their inverse depth: along the epipolar line."""
    z = _positive(in_b[2])
    return np.asarray((in_b[:2] / z * baseline[2] - baseline[:2, None]) / z)


def _in_b(T_a_b: Array, points: Array, rho: Array) -> Array:
    """Points (3, N) of camera a at inverse depth rho, in camera b, up to their (positive) scale."""
    return np.asarray(T_a_b[:3, :3].T @ (points - rho * T_a_b[:3, 3:]))


def _positive(z: Array) -> Array:
    """Keep the projection finite for points that a wrong pose puts behind the camera."""
    return np.maximum(z, 1e-3)
