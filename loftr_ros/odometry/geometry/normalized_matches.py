"""Rays: points on the plane z = 1 of a camera, as (N, 2) arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array

# Matches are never taken to be more exact than this, pixels.
LEAST_NOISE_PX = 0.03


@dataclass(frozen=True)
class NormalizedMatches:
    """Matches as rays, and what is known of their depth.

    Attributes:
        a, b: (N, 2) undistorted points of the two images on the plane z = 1.
        inverse_depth: (N,) 1/z in camera a, NaN where unknown.
        sigma: (N,) its standard deviation, NaN where unknown.
        spread: see `Matches.covariance_b`.
    """

    a: Array
    b: Array
    inverse_depth: Array
    sigma: Array
    spread: Array | None = None

    def __len__(self) -> int:
        return len(self.a)

    @cached_property
    def columns_a(self) -> Array:
        """(3, N) points of a with z = 1; a coordinate of all of them lies in one piece of memory."""
        return np.ascontiguousarray(homogeneous(self.a).T)

    @cached_property
    def columns_b(self) -> Array:
        """(2, N) points of b."""
        return np.ascontiguousarray(self.b.T)

    @property
    def sure(self) -> NDArray[np.bool_]:
        """(N,) the half of the matches whose points are the most certain in every direction; all if all are alike."""
        if self.spread is None:
            return np.ones(len(self), bool)
        xx, xy, yy = self._moments
        largest = (xx + yy) / 2.0 + np.hypot((xx - yy) / 2.0, xy)  # eigenvalue
        return np.asarray(largest <= np.median(largest))

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """(N,) where there is depth."""
        return np.asarray(np.isfinite(self.inverse_depth) & np.isfinite(self.sigma))

    def select(self, mask: NDArray[np.bool_]) -> NormalizedMatches:
        """Return the matches picked by a mask."""
        spread = None if self.spread is None else self.spread[mask]
        return NormalizedMatches(self.a[mask], self.b[mask], self.inverse_depth[mask], self.sigma[mask], spread)

    def variance(self, directions: Array) -> Array:
        """Return (..., N) variances of b along (2, ..., N) unit vectors, as multiples of a typical one."""
        if self.spread is None:
            return np.ones(directions.shape[1:])
        xx, xy, yy = self._moments
        x, y = directions
        return np.asarray(x * x * xx + 2.0 * x * y * xy + y * y * yy)

    @cached_property
    def _moments(self) -> Array:
        """(3, N) the numbers xx, xy, yy of the spreads, which are there."""
        assert self.spread is not None
        return np.ascontiguousarray(self.spread.reshape(-1, 4)[:, [0, 1, 3]].T)

    def subsampled(self, count: int) -> NormalizedMatches:
        """Return about `count` of the matches from all over the image; all if there are not so many."""
        return self.select(np.arange(len(self)) % max(len(self) // count, 1) == 0)

    def shifted(self, offset: float) -> NormalizedMatches:
        """Return the same matches with `offset` added to all inverse depths."""
        return replace(self, inverse_depth=self.inverse_depth + offset)

    def without_depth(self) -> NormalizedMatches:
        """Return the same matches with all depth unknown."""
        unknown = np.full(len(self), np.nan)
        return NormalizedMatches(self.a, self.b, unknown, unknown, self.spread)


def homogeneous(rays: Array) -> Array:
    """Append z = 1 to (N, 2) rays."""
    return np.column_stack([rays, np.ones(len(rays))])


def rotate(rays: Array, R: Array) -> Array:
    """Turn (N, 2) rays and bring them back to the plane z = 1; those that end up behind it become very far off."""
    turned = homogeneous(rays) @ R.T
    return np.asarray(turned[:, :2] / np.maximum(turned[:, 2:], 1e-6))


def triangulate(rays_a: Array, rays_b: Array, T_a_b: Array, noise: float) -> tuple[Array, Array]:
    """Return (N,) inverse depths in camera a, and standard deviations, of rays seen from two known poses.

    The inverse depth rho puts the image of the point, R^T (x_a - rho p), nearest to its match in image b, whose noise
    is `noise` (on the plane z = 1, as the (N, 2) rays). It is negative for rays that diverge, and NaN where the
    baseline is zero or the point is behind camera b.
    """
    to_axes_of_b = T_a_b[:3, :3].T
    return inverse_depths(to_axes_of_b @ homogeneous(rays_a).T, to_axes_of_b @ T_a_b[:3, 3], rays_b.T, noise)


def inverse_depths(at_infinity: Array, baseline: Array, rays_b: Array, noise: float) -> tuple[Array, Array]:
    """Triangulate what is already turned to the axes of b: (3, N) rays of a and (3,) position of b; `rays_b` (2, N)."""
    (x, y, z), (b_x, b_y) = at_infinity, rays_b
    slope_x, slope_y = baseline[0] - b_x * baseline[2], baseline[1] - b_y * baseline[2]
    squared = slope_x**2 + slope_y**2
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (slope_x * (x - b_x * z) + slope_y * (y - b_y * z)) / squared
        depth_in_b = z - value * baseline[2]
        sigma = noise * depth_in_b / np.sqrt(squared)
    good = np.isfinite(value) & np.isfinite(sigma) & (depth_in_b > 0)
    return np.where(good, value, np.nan), np.where(good, sigma, np.nan)
