"""Inverse depth of the cells of a keyframe: fusion, triangulation, stereo, propagation to the next keyframe.

Inverse depth, 1/z in the keyframe's camera, has near-Gaussian errors down to points at infinity (Civera et al.,
"Inverse Depth Parametrization for Monocular SLAM", T-RO 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import MIN_NOISE_PX, homogeneous, transfer, triangulate
from loftr_ros.odometry.geometry.robust import SIGNIFICANT_SIGMAS, sigma_from_mad
from loftr_ros.odometry.geometry.stereo_rig import StereoRig

# Number of neighbors that an inverse depth is interpolated from (moving least squares).
# measured: docs/sensitivity.md, "inverse_depth._NEIGHBORS"; more are worse.
_NEIGHBORS = 6
# Upper bound of their weights, above which the point is extrapolated: all neighbors on one side, or on one line.
# assumed: 1, at a neighbor, and some tolerance.
_MAX_WEIGHT = 1.05
# Softening of squared distances, relative to their mean.
# numerical: avoids a division by zero at a neighbor.
_SOFTENING = 0.01
# Standard deviation of the interpolation, as a share of the range of the neighbors.
# assumed: near 1 / sqrt(12) = 0.29, that of a uniform distribution over the range.
_INTERPOLATION_SIGMA = 0.25


@dataclass(frozen=True)
class CellDepths:
    """Inverse depths by cell.

    Attributes:
        cells: (M,) int64, increasing: the `cell_a` of matches.
        value: (M,) inverse depth at the cell's point, 1/m or 1/unit.
        sigma: (M,) its standard deviation.
    """

    cells: NDArray[np.int64]
    value: Array
    sigma: Array

    @staticmethod
    def empty() -> CellDepths:
        """Return one without any cell."""
        return CellDepths(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))

    @staticmethod
    def of(cells: NDArray[np.int64], value: Array, sigma: Array) -> CellDepths:
        """Collect the valid inverse depths: finite, and not behind the camera within the gate.

        Noise makes some far points negative; dropping those would bias the others towards the camera. Of a cell given
        twice the one of smaller sigma is kept.

        Args:
            cells: (M,) in any order.
            value, sigma: (M,) inverse depths and standard deviations.
        """
        with np.errstate(invalid="ignore"):
            valid = np.isfinite(value) & np.isfinite(sigma) & (value > -SIGNIFICANT_SIGMAS * sigma)
        cells, value, sigma = cells[valid], value[valid], sigma[valid]
        order = np.argsort(cells, kind="stable")  # fast for cells that are sorted, or in two sorted pieces
        if (np.diff(cells[order]) == 0).any():
            order = np.lexsort((sigma, cells))
            order = order[np.unique(cells[order], return_index=True)[1]]
        return CellDepths(cells[order], value[order], sigma[order])

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def num_finite(self) -> int:
        """Number of cells whose inverse depth is significantly above zero."""
        return int((self.value > SIGNIFICANT_SIGMAS * self.sigma).sum())

    def at(self, cells: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return the (N,) inverse depths and standard deviations of (N,) cells; NaN where unknown."""
        value, sigma = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
        if len(self) > 0:
            index = np.minimum(np.searchsorted(self.cells, cells), len(self) - 1)
            present = self.cells[index] == cells
            value[present], sigma[present] = self.value[index[present]], self.sigma[index[present]]
        return value, sigma

    def scaled(self, scale: float) -> CellDepths:
        """Return the inverse depths of a scene that is larger by this factor."""
        return CellDepths(self.cells, self.value / scale, self.sigma / scale)

    def completed(self, other: CellDepths) -> CellDepths:
        """Return these and those of the other's cells that are not among them."""
        new = ~np.isin(other.cells, self.cells)
        return CellDepths.of(
            np.concatenate([self.cells, other.cells[new]]),
            np.concatenate([self.value, other.value[new]]),
            np.concatenate([self.sigma, other.sigma[new]]),
        )

    def fused(self, new: CellDepths) -> CellDepths:
        """Fuse an independent measurement: inverse-variance weighted mean within the gate, else the old value."""
        old_value, old_sigma = self.at(new.cells)
        weight_old, weight_new = old_sigma**-2, new.sigma**-2
        sigma = (weight_old + weight_new) ** -0.5
        value = (old_value * weight_old + new.value * weight_new) * sigma**2
        within_gate = np.abs(old_value - new.value) < SIGNIFICANT_SIGMAS * np.hypot(old_sigma, new.sigma)
        unknown = np.isnan(old_value)
        value, sigma = np.where(unknown, new.value, value), np.where(unknown, new.sigma, sigma)
        updated = within_gate | unknown
        rest = ~np.isin(self.cells, new.cells[updated])
        return CellDepths.of(
            np.concatenate([self.cells[rest], new.cells[updated]]),
            np.concatenate([self.value[rest], value[updated]]),
            np.concatenate([self.sigma[rest], sigma[updated]]),
        )


class PropagatedDepths:
    """Inverse depths of an old keyframe in the view of a new one, at scattered points off its cells."""

    def __init__(self, points: Array, value: Array, sigma: Array, drift: float = 0.0) -> None:
        """Store finite inverse depths.

        Args:
            points: (M, 2) in the new keyframe, on the plane z = 1.
            value, sigma: (M,) inverse depths and standard deviations.
            drift: relative standard deviation of their common scale.
        """
        self._points, self._value, self._sigma, self.drift = points, value, sigma, drift

    def scaled(self, scale: float) -> PropagatedDepths:
        """Return the inverse depths of a scene that is larger by this factor."""
        return PropagatedDepths(self._points, self._value / scale, self._sigma / scale, self.drift)

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self._points)

    def at(self, points: Array) -> tuple[Array, Array]:
        """Return the (N,) inverse depths at (N, 2) points, and standard deviations; NaN where not surrounded."""
        if len(self._points) < _NEIGHBORS:
            return np.full(len(points), np.nan), np.full(len(points), np.nan)
        _, index = self._tree.query(points, _NEIGHBORS)
        return interpolated(self._points[index] - points[:, None], self._value[index], self._sigma[index])


def interpolated(offsets: Array, values: Array, sigmas: Array) -> tuple[Array, Array]:
    """Interpolate inverse depths by moving least squares.

    Inverse depth is linear in the image on a plane, so a local plane fit is exact there; across a depth edge the
    standard deviation grows with the range of the neighbors.

    Args:
        offsets: (N, K, 2) offsets of K neighbors from each of N points.
        values, sigmas: (N, K) their inverse depths and standard deviations.

    Returns:
        (N,) inverse depths and standard deviations; NaN where the neighbors do not surround the point.
    """
    weights = _weights_at_origin(*offsets.transpose(2, 1, 0))
    inside = (np.abs(weights) <= _MAX_WEIGHT).all(axis=0)
    values, neighbor_sigmas = values.T, sigmas.T
    value = (weights * values).sum(axis=0)
    propagated = np.sqrt(((weights * neighbor_sigmas) ** 2).sum(axis=0))
    sigma = np.hypot(propagated, _INTERPOLATION_SIGMA * np.ptp(values, axis=0))
    return np.where(inside, value, np.nan), np.where(inside, sigma, np.nan)


def _weights_at_origin(x: Array, y: Array) -> Array:
    """(K, N) weights of K values at offsets (x, y) in the value at the origin.

    The plane of weighted least squares in which the nearest values weigh most (moving least squares, Lancaster and
    Salkauskas 1981). Infinite or NaN where all offsets are on one line.
    """
    squared = x * x + y * y
    near = 1.0 / (squared + _SOFTENING * squared.mean(axis=0))
    near /= near.sum(axis=0)
    mean_x, mean_y = (near * x).sum(axis=0), (near * y).sum(axis=0)
    dx, dy = x - mean_x, y - mean_y
    xx, xy, yy = (near * dx * dx).sum(axis=0), (near * dx * dy).sum(axis=0), (near * dy * dy).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = ((yy * mean_x - xy * mean_y) * dx + (xx * mean_y - xy * mean_x) * dy) / (xx * yy - xy * xy)
        return np.asarray(near * (1.0 - slope))


def depths_from_motion(matches: Matches, camera: Camera, T_a_b: Array, noise_px: float) -> CellDepths:
    """Triangulate the cells of a keyframe (image a) from a later frame (image b).

    Args:
        matches: between the two.
        camera: of both.
        T_a_b: (4, 4) pose of the frame in the keyframe.
        noise_px: standard deviation of a coordinate of a match, pixels.
    """
    points_a, points_b = camera.normalize(matches.points_a), camera.normalize(matches.points_b)
    return CellDepths.of(matches.cell_a, *triangulate(points_a, points_b, T_a_b, noise_px / camera.focal))


def depths_from_stereo(matches: Matches, camera: Camera, rig: StereoRig, threshold_px: float) -> CellDepths:
    """Triangulate the matches of a stereo pair (a left, b right), raw or rectified.

    The inverse depth minimizes the Mahalanobis distance between the reprojection and the match, in pixels of the right
    image; of a rectified pair 1/z is disparity / (fx * baseline). The match covariance handles edges: a match that may
    slide along an edge is corrected along it to the epipolar curve, and an edge along the curve gives a large sigma.
    The noise of all is the MAD of the residuals across the curve.

    Args:
        matches: of the pair.
        camera: the left one.
        rig: the right camera and its pose.
        threshold_px: largest distance of an inlier from its epipolar curve; the others have no depth.
    """
    points_a = camera.normalize(matches.points_a)
    start, _ = triangulate(points_a, rig.right.normalize(matches.points_b), rig.T_left_right, noise=1.0)
    increment = 1e-4 / rig.baseline
    reprojected = rig.project(points_a, start)
    slope = (rig.project(points_a, start + increment) - reprojected) / increment
    residual = matches.points_b - reprojected
    across = np.abs(residual[:, 0] * slope[:, 1] - residual[:, 1] * slope[:, 0]) / np.linalg.norm(slope, axis=1)
    covariance = np.tile(np.eye(2), (len(points_a), 1, 1)) if matches.covariance_b is None else matches.covariance_b
    information = _mahalanobis(slope, covariance, slope)
    change = _mahalanobis(slope, covariance, residual) / information
    rest = residual - change[:, None] * slope
    inlier = across <= threshold_px
    noise = sigma_from_mad(np.sqrt(_mahalanobis(rest, covariance, rest))[inlier]) if inlier.any() else np.nan
    sigma = max(noise, MIN_NOISE_PX) / np.sqrt(information)
    return CellDepths.of(matches.cell_a, np.where(inlier, start + change, np.nan), sigma)


def _mahalanobis(a: Array, C: Array, b: Array) -> Array:
    """(N,) products a' C^-1 b of (N, 2) vectors and (N, 2, 2) covariances."""
    (a_x, a_y), (b_x, b_y), (xx, xy, _, yy) = a.T, b.T, C.reshape(-1, 4).T
    return np.asarray((yy * a_x * b_x - xy * (a_x * b_y + a_y * b_x) + xx * a_y * b_y) / (xx * yy - xy * xy))


def propagate(
    matches: Matches, camera: Camera, depths: CellDepths, T_a_b: Array, drift: float = 0.0
) -> PropagatedDepths:
    """Propagate the depths of image a along the matches to image b.

    Args:
        matches: between the two.
        camera: of both.
        depths: of the cells of image a.
        T_a_b: (4, 4) pose of b in a.
        drift: see `PropagatedDepths`.
    """
    value, sigma = depths.at(matches.cell_a)
    z = transfer(homogeneous(camera.normalize(matches.points_a)).T, value, T_a_b)[2]
    valid = np.isfinite(value) & (z > 1e-3)
    z = z[valid]
    points_b = camera.normalize(matches.points_b[valid])
    return PropagatedDepths(points_b, value[valid] / z, sigma[valid] / z**2, drift)
