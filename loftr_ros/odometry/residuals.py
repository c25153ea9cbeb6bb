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

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry import se3
from loftr_ros.odometry.rays import RayMatches, homogeneous, triangulate

# Residuals beyond this many standard deviations have nothing to do with the noise.
_OUTLIER = 3.0
# ... and the normal ones among the others have this variance.
_TRUNCATED_VARIANCE = 0.973
# The noise that depths are said to have counts as much as this many residuals that show it.
_PRIOR_COUNT = 50.0
# ... and is at most so many times what they are said to be; else matches that are wrong pass for wrong depths.
_LARGEST_DEPTH_FACTOR = 3.0
# Least depth in camera b, as a share of that in camera a.
_NEAREST = 0.1


@dataclass(frozen=True)
class Scales:
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

    Attributes:
        T: (4, 4).
        scales: of the noise.
        points: (N, 3) points of image a, z = 1.
        rays_b: (N, 2) points of image b, likewise.
        rho: (N,) inverse depths.
        rho_sigma: (N,) their standard deviations, zero for points at infinity.
        slide: (N,) how far along its line a point is moved by what its known depth differs from `rho`.
        axes: (N, 2, 2) unit vectors across and along, as rows.
        sigma: (N, 2) standard deviations across and along.
        depth_share: (N, 2) share of the depth in those variances.
        by_depth: (N, 2) derivatives of the residuals by the known inverse depths.
        used: (N, 2) bool.
    """

    T: NDArray[np.float64]
    scales: Scales
    points: NDArray[np.float64]
    rays_b: NDArray[np.float64]
    rho: NDArray[np.float64]
    rho_sigma: NDArray[np.float64]
    slide: NDArray[np.float64]
    axes: NDArray[np.float64]
    sigma: NDArray[np.float64]
    depth_share: NDArray[np.float64]
    by_depth: NDArray[np.float64]
    used: NDArray[np.bool_]

    @staticmethod
    def at(
        T: NDArray[np.float64],
        rays: RayMatches,
        depth_sigma: NDArray[np.float64],
        scales: Scales,
        at_infinity: bool = False,
    ) -> Linearization:
        """Fix the epipolar lines and weights at the pose T.

        Args:
            T: (4, 4) T_a_b.
            rays: N matches; `rays.sigma` is what each depth errs by itself.
            depth_sigma: (N,) what it errs in all.
            scales: of the noise.
            at_infinity: matches without depth are infinitely far away; else they are where they are on their line.
        """
        points = homogeneous(rays.a)
        # A depth that puts the point behind camera b, or right before it, is wrong, and has a leverage without bounds.
        known = rays.known & (_in_b(T, points, np.nan_to_num(rays.inverse_depth))[:, 2] > _NEAREST)
        rho, rho_sigma = _likeliest_depth(rays, known, T, scales, at_infinity)
        slope = _slope(T, _in_b(T, points, rho))
        length = np.linalg.norm(slope, axis=1)
        along = np.where(length[:, None] > 1e-12, slope / np.maximum(length, 1e-12)[:, None], [1.0, 0.0])
        across = np.column_stack([-along[:, 1], along[:, 0]])
        of_match = scales.noise * np.column_stack([rays.deviation(across), rays.deviation(along)])
        of_depth = np.zeros_like(of_match)
        of_depth[known, 1] = length[known] * scales.depth * depth_sigma[known]
        variance = of_match**2 + of_depth**2
        by_depth = np.column_stack([np.zeros(len(points)), length * known])
        return Linearization(
            T,
            scales,
            points,
            rays.b,
            rho,
            rho_sigma,
            length * np.where(known, rays.inverse_depth - rho, 0.0),
            np.stack([across, along], axis=1),
            np.sqrt(variance),
            of_depth**2 / variance,
            by_depth / np.sqrt(variance),
            np.column_stack([np.ones(len(points), bool), known | at_infinity]),
        )

    @property
    def match(self) -> NDArray[np.int64]:
        """(M,) the match that each used residual is of."""
        return np.nonzero(self.used)[0]

    def squared(self) -> NDArray[np.float64]:
        """Return (N,) sums of the squares of the residuals of each match: a match is wrong as a whole, or not."""
        return np.asarray(((self._distances(self.T) / self.sigma) ** 2 * self.used).sum(axis=1))

    def residuals(self, change: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return all used residuals in standard deviations, at T or at a (6,) change of it."""
        return np.asarray(
            (self._distances(self.T if change is None else se3.moved(self.T, change)) / self.sigma)[self.used]
        )

    def jacobian(self, informative: bool = False) -> NDArray[np.float64]:
        """Return the derivative of `residuals` by the (6,) change of T and by an offset of all known inverse depths.

        Args:
            informative: make it less by what errors of `rho` add to its square, which tells nothing of the position.
        """
        R, p = self.T[:3, :3], self.T[:3, 3]
        in_a = self.points - self.rho[:, None] * p
        # The derivative by the point in b, turned back to the axes of a: rows of (N, 2, 3).
        by_point = self.axes @ _projection(in_a @ R) @ R.T / self.sigma[:, :, None]
        count = self.used.sum(axis=1)
        rho = np.sqrt(np.maximum(self.rho**2 - self.rho_sigma**2, 0.0)) if informative else self.rho
        by_point, in_a, rho = by_point[self.used], np.repeat(in_a, count, axis=0), np.repeat(rho, count)
        # d(R^T (x - rho p)) = R^T (-rho dp + (x - rho p) x dtheta), and g . (v x dtheta) = (g x v) . dtheta.
        by_offset = self.by_depth[self.used][:, None]
        return np.hstack([-rho[:, None] * by_point, np.cross(by_point, in_a), by_offset])

    def errors(self) -> NDArray[np.float64]:
        """Return the (N,) distances of the matches from where the pose puts them, depth errors discounted."""
        discounted = self._distances(self.T) * np.sqrt(1.0 - self.depth_share)
        return np.asarray(np.linalg.norm(discounted * self.used, axis=1))

    def rescaled(self, least_noise: float) -> Scales:
        """Return the scales that the residuals show, outliers left out: the likeliest variances, by fixed point."""
        size, share = np.abs(self.residuals()), self.depth_share[self.used]
        inlier = size <= _OUTLIER * 1.4826 * np.median(size)
        squared, share = size[inlier] ** 2 / _TRUNCATED_VARIANCE, share[inlier]
        noise = self.scales.noise * np.sqrt(np.sum((1.0 - share) * squared) / max(np.sum(1.0 - share), 1e-9))
        shown = self.scales.depth**2 * np.sum(share * squared)
        depth = np.sqrt((shown + _PRIOR_COUNT) / (np.sum(share) + _PRIOR_COUNT))
        return Scales(max(float(noise), least_noise), min(float(depth), _LARGEST_DEPTH_FACTOR))

    def _distances(self, T: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) distances of the matches from their places, across and along their epipolar lines."""
        in_b = _in_b(T, self.points, self.rho)
        distances = np.einsum("nij,nj->ni", self.axes, in_b[:, :2] / _positive(in_b[:, 2:]) - self.rays_b)
        distances[:, 1] += self.slide
        return np.asarray(distances)


def _likeliest_depth(
    rays: RayMatches, known: NDArray[np.bool_], T_a_b: NDArray[np.float64], scales: Scales, at_infinity: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) inverse depths at which to linearize, and standard deviations: by depth and match together, or by one alone.

    A depth that is not known is likely to be as those of the other matches, as the pose shows them. At the known depths
    instead, their errors are in the residuals and in the Jacobian at once, which makes every translation come out short
    (errors in variables; this is the regression calibration of Carroll et al., Measurement Error in Nonlinear Models).
    """
    seen, seen_sigma = triangulate(rays.a, rays.b, T_a_b, scales.noise)
    visible = np.isfinite(seen)
    middle = float(np.median(seen[visible])) if visible.any() and not at_infinity else 0.0
    spread = 1.4826 * float(np.median(np.abs(seen[visible] - middle))) if visible.any() and not at_infinity else 0.0
    value, sigma = np.where(known, rays.inverse_depth, middle), np.where(known, scales.depth * rays.sigma, spread)
    share = np.zeros(len(rays))
    share[visible] = sigma[visible] ** 2 / (sigma[visible] ** 2 + seen_sigma[visible] ** 2)
    shift = np.clip(share * np.where(visible, seen - value, 0.0), -_OUTLIER * sigma, _OUTLIER * sigma)
    return np.maximum(value + shift, 0.0), np.sqrt(1.0 - share) * sigma


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
