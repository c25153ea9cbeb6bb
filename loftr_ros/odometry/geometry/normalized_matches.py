"""Matches in normalized image coordinates (undistorted, on the plane z = 1), inverse-depth transfer, triangulation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array

# Lower bound of the standard deviation of a match, pixels.
# numerical: guard; residuals of a near-perfect fit underestimate it.
MIN_NOISE_PX = 0.03
# Size of the subsets of matches on which hypotheses are computed, scored and tested; all matches refine the best one.
# numerical: bounds the run time.
SUBSET_SIZE = 300


@dataclass(frozen=True)
class NormalizedMatches:
    """Matches in normalized coordinates, and the depth of their points in image a.

    Attributes:
        a, b: (N, 2) undistorted points of the two images on the plane z = 1.
        inverse_depth: (N,) 1/z in camera a, 1/m or 1/unit; NaN where unknown.
        sigma: (N,) its standard deviation, NaN where unknown.
        covariance_b: (N, 2, 2) see `Matches.covariance_b`; None: all matches have the same, isotropic one.
    """

    a: Array
    b: Array
    inverse_depth: Array
    sigma: Array
    covariance_b: Array | None = None

    def __len__(self) -> int:
        return len(self.a)

    @cached_property
    def columns_a(self) -> Array:
        """(3, N) homogeneous points of a, C-contiguous: each coordinate of all points is one block of memory."""
        return np.ascontiguousarray(homogeneous(self.a).T)

    @cached_property
    def columns_b(self) -> Array:
        """(2, N) points of b, C-contiguous."""
        return np.ascontiguousarray(self.b.T)

    @property
    def most_certain(self) -> NDArray[np.bool_]:
        """(N,) the matches whose covariance has a largest eigenvalue up to the median; all without `covariance_b`."""
        if self.covariance_b is None:
            return np.ones(len(self), bool)
        xx, xy, yy = self._covariance_elements
        largest = (xx + yy) / 2.0 + np.hypot((xx - yy) / 2.0, xy)  # eigenvalue
        return np.asarray(largest <= np.median(largest))

    @cached_property
    def has_depth(self) -> NDArray[np.bool_]:
        """(N,) where the inverse depth is known."""
        return np.asarray(np.isfinite(self.inverse_depth) & np.isfinite(self.sigma))

    def select(self, picked: NDArray[np.bool_] | NDArray[np.intp] | slice) -> NormalizedMatches:
        """Return the matches picked by an (N,) mask, by indices, or by a slice, which copies nothing."""
        return NormalizedMatches(
            a=self.a[picked],
            b=self.b[picked],
            inverse_depth=self.inverse_depth[picked],
            sigma=self.sigma[picked],
            covariance_b=None if self.covariance_b is None else self.covariance_b[picked],
        )

    def variance(self, directions: Array) -> Array:
        """Return the (..., N) variances u' C u of b along (2, ..., N) unit vectors u, 1 for a typical match."""
        if self.covariance_b is None:
            return np.ones(directions.shape[1:])
        xx, xy, yy = self._covariance_elements
        x, y = directions
        return np.asarray(x * x * xx + 2.0 * x * y * xy + y * y * yy)

    @cached_property
    def _covariance_elements(self) -> Array:
        """(3, N) elements xx, xy, yy of `covariance_b`."""
        assert self.covariance_b is not None
        return np.ascontiguousarray(self.covariance_b.reshape(-1, 4)[:, [0, 1, 3]].T)

    def subsampled(self, count: int) -> NormalizedMatches:
        """Return every k-th match, at least `count` of them and fewer than twice as many; all if there are fewer."""
        return self.select(np.arange(len(self)) % max(len(self) // count, 1) == 0)

    def shifted(self, bias: float) -> NormalizedMatches:
        """Return the same matches with `bias` added to all inverse depths."""
        return replace(self, inverse_depth=self.inverse_depth + bias)

    def without_depth(self) -> NormalizedMatches:
        """Return the same matches with all depth unknown."""
        unknown = np.full(len(self), np.nan)
        return replace(self, inverse_depth=unknown, sigma=unknown)


def homogeneous(points: Array) -> Array:
    """Append z = 1 to (N, 2) points."""
    return np.column_stack([points, np.ones(len(points))])


def rotate_and_project(points: Array, R: Array) -> Array:
    """Rotate (N, 2) points by R and project them to the plane z = 1; z is clamped, so points behind it go far out."""
    rotated = homogeneous(points) @ R.T
    return np.asarray(rotated[:, :2] / np.maximum(rotated[:, 2:], 1e-6))


def transfer(columns_a: Array, inverse_depth: Array | float, T_a_b: Array) -> Array:
    """Transfer points of camera a to camera b by their inverse depth.

    The point of image a at x (z = 1) and inverse depth rho is at x / rho in camera a, so with T_a_b = (R, p) it lies
    along R^T (x - rho p) in camera b: finite and smooth down to points at infinity, rho = 0.

    Args:
        columns_a: (3, N) homogeneous points of image a.
        inverse_depth: (N,) 1/z in camera a.
        T_a_b: (4, 4) pose of camera b in camera a.

    Returns:
        (3, N) points in camera b, times the inverse depth: z is the depth in b as a multiple of that in a.
    """
    return np.asarray(T_a_b[:3, :3].T @ (columns_a - inverse_depth * T_a_b[:3, 3:]))


def triangulate(points_a: Array, points_b: Array, T_a_b: Array, noise: float) -> tuple[Array, Array]:
    """Triangulate matches of two views whose relative pose is known.

    The inverse depth minimizes the reprojection error in image b (the points of image a are exact). It is negative for
    rays that diverge, and NaN where the baseline is zero or the point is behind camera b.

    Args:
        points_a, points_b: (N, 2) on the plane z = 1.
        T_a_b: (4, 4) pose of camera b in camera a.
        noise: standard deviation of a coordinate of points_b, on the plane z = 1.

    Returns:
        (N,) inverse depths in camera a, and their standard deviations.
    """
    R_b_a = T_a_b[:3, :3].T
    return triangulate_rotated(R_b_a @ homogeneous(points_a).T, R_b_a @ T_a_b[:3, 3], points_b.T, noise)


def triangulate_rotated(at_infinity: Array, baseline: Array, columns_b: Array, noise: float) -> tuple[Array, Array]:
    """Triangulate as `triangulate` does, from arguments in the axes of b.

    Args:
        at_infinity: (3, N) R^T x_a, the points of a transferred at infinite depth.
        baseline: (3,) R^T p.
        columns_b: (2, N) points of b.
        noise: see `triangulate`.
    """
    (x, y, z), (b_x, b_y) = at_infinity, columns_b
    slope_x, slope_y = baseline[0] - b_x * baseline[2], baseline[1] - b_y * baseline[2]
    squared = slope_x**2 + slope_y**2
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (slope_x * (x - b_x * z) + slope_y * (y - b_y * z)) / squared
        depth_in_b = z - value * baseline[2]
        sigma = noise * depth_in_b / np.sqrt(squared)
    good = np.isfinite(value) & np.isfinite(sigma) & (depth_in_b > 0)
    return np.where(good, value, np.nan), np.where(good, sigma, np.nan)
