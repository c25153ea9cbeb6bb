"""Depth of the cells of a keyframe.

Depth is held as inverse depth, 1/z in the keyframe's camera: its error is near Gaussian down to points at infinity
(Civera et al., "Inverse Depth Parametrization for Monocular SLAM", T-RO 2008).
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
from loftr_ros.odometry.geometry.normalized_matches import LEAST_NOISE_PX, homogeneous, triangulate
from loftr_ros.odometry.geometry.stereo_rig import StereoRig

# Two measurements of one cell further apart than this many standard deviations are of different things.
_GATE = 3.0
# So many points around are asked. Between them the weight of none is above 1: one of more than this means that they are
# all on one side, or on one line. A point nearer than about a tenth of the others' distance has all the say.
_NEIGHBOURS, _LARGEST_WEIGHT, _SOFTNESS = 6, 1.05, 0.01
# What interpolation between carried points adds to their uncertainty, as a share of their difference.
_INTERPOLATION_SIGMA = 0.25


@dataclass(frozen=True)
class CellDepths:
    """Inverse depths by cell.

    Attributes:
        cells: (M,) int64, increasing: the `cell_a` of matches.
        value: (M,) inverse depth, 1/z, at the cell's point.
        sigma: (M,) its standard deviation.
    """

    cells: NDArray[np.int64]
    value: Array
    sigma: Array

    @staticmethod
    def empty() -> CellDepths:
        """No depth at all."""
        return CellDepths(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))

    @staticmethod
    def of(cells: NDArray[np.int64], value: Array, sigma: Array) -> CellDepths:
        """Keep what is finite and may be in front of the camera; of a cell given twice, the more certain.

        Noise makes some far points negative. Without those, the others would be too near on average.
        """
        with np.errstate(invalid="ignore"):
            good = np.isfinite(value) & np.isfinite(sigma) & (value > -_GATE * sigma)
        cells, value, sigma = cells[good], value[good], sigma[good]
        order = np.argsort(cells, kind="stable")  # they are in order, or in two pieces that are
        if (np.diff(cells[order]) == 0).any():
            order = np.lexsort((sigma, cells))
            order = order[np.unique(cells[order], return_index=True)[1]]
        return CellDepths(cells[order], value[order], sigma[order])

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def num_finite(self) -> int:
        """Number of cells that are surely nearer than infinity."""
        return int((self.value > _GATE * self.sigma).sum())

    def at(self, cells: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return (N,) inverse depths and standard deviations of cells; NaN where unknown."""
        value, sigma = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
        if len(self) > 0:
            place = np.minimum(np.searchsorted(self.cells, cells), len(self) - 1)
            known = self.cells[place] == cells
            value[known], sigma[known] = self.value[place[known]], self.sigma[place[known]]
        return value, sigma

    def completed(self, other: CellDepths) -> CellDepths:
        """Add the depth of cells that have none yet."""
        new = ~np.isin(other.cells, self.cells)
        return CellDepths.of(
            np.concatenate([self.cells, other.cells[new]]),
            np.concatenate([self.value, other.value[new]]),
            np.concatenate([self.sigma, other.sigma[new]]),
        )

    def fused(self, new: CellDepths) -> CellDepths:
        """Combine with a further measurement of the same cells: the weighted mean where both agree, else the old."""
        old_value, old_sigma = self.at(new.cells)
        weight_old, weight_new = old_sigma**-2, new.sigma**-2
        sigma = (weight_old + weight_new) ** -0.5
        value = (old_value * weight_old + new.value * weight_new) * sigma**2
        agree = np.abs(old_value - new.value) < _GATE * np.hypot(old_sigma, new.sigma)
        unknown = np.isnan(old_value)
        value, sigma = np.where(unknown, new.value, value), np.where(unknown, new.sigma, sigma)
        keep = agree | unknown
        rest = ~np.isin(self.cells, new.cells[keep])
        return CellDepths.of(
            np.concatenate([self.cells[rest], new.cells[keep]]),
            np.concatenate([self.value[rest], value[keep]]),
            np.concatenate([self.sigma[rest], sigma[keep]]),
        )


class PropagatedDepths:
    """Depth of an old keyframe seen from a new one, known at points that are not on the new grid.

    Inverse depth is linear in the image on a plane, so a plane through the nearest points, by least squares, is exact
    there; between points of different depth it is as uncertain as they differ.
    """

    def __init__(self, rays: Array, value: Array, sigma: Array, drift: float = 0.0) -> None:
        """Take (N, 2) rays of the new keyframe, their inverse depths and standard deviations, all finite.

        `drift` is the standard deviation of the scale that they have in common, as a share.
        """
        self._rays, self._value, self._sigma, self.drift = rays, value, sigma, drift

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self._rays)

    def at(self, rays: Array) -> tuple[Array, Array]:
        """Return (N,) inverse depths and standard deviations; NaN where the nearest points are all on one side."""
        if len(self._rays) < _NEIGHBOURS:
            return np.full(len(rays), np.nan), np.full(len(rays), np.nan)
        _, index = self._tree.query(rays, _NEIGHBOURS)
        return interpolated(self._rays[index] - rays[:, None], self._value[index], self._sigma[index])


def interpolated(places: Array, values: Array, sigmas: Array) -> tuple[Array, Array]:
    """(N,) inverse depths at the origins of (N, K, 2) places, and standard deviations, by what is known at the places.

    The latter are (N, K) values and standard deviations. NaN where all places are on one side of the origin.
    """
    weights = _weights_at_origin(*places.transpose(2, 1, 0))
    inside = (np.abs(weights) <= _LARGEST_WEIGHT).all(axis=0)
    values, own = values.T, sigmas.T
    value = (weights * values).sum(axis=0)
    sigma = np.hypot(np.sqrt(((weights * own) ** 2).sum(axis=0)), _INTERPOLATION_SIGMA * np.ptp(values, axis=0))
    return np.where(inside, value, np.nan), np.where(inside, sigma, np.nan)


def _weights_at_origin(x: Array, y: Array) -> Array:
    """(K, N) weights of K values at places (x, y) that make the value at the origin.

    The value is that of the plane of least squares in which the nearest places count most (moving least squares,
    Lancaster and Salkauskas 1981). Weights are infinite or NaN where all places are on one line.
    """
    squared = x * x + y * y
    near = 1.0 / (squared + _SOFTNESS * squared.mean(axis=0))
    near /= near.sum(axis=0)
    mean_x, mean_y = (near * x).sum(axis=0), (near * y).sum(axis=0)
    dx, dy = x - mean_x, y - mean_y
    xx, xy, yy = (near * dx * dx).sum(axis=0), (near * dx * dy).sum(axis=0), (near * dy * dy).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = ((yy * mean_x - xy * mean_y) * dx + (xx * mean_y - xy * mean_x) * dy) / (xx * yy - xy * xy)
        return np.asarray(near * (1.0 - slope))


def depths_from_motion(matches: Matches, camera: Camera, T_a_b: Array, noise_px: float) -> CellDepths:
    """Triangulate the matches of a keyframe and a later frame whose relative pose is known."""
    rays_a, rays_b = camera.normalize(matches.points_a), camera.normalize(matches.points_b)
    return CellDepths.of(matches.cell_a, *triangulate(rays_a, rays_b, T_a_b, noise_px / camera.focal))


def depths_from_stereo(matches: Matches, camera: Camera, rig: StereoRig, threshold_px: float) -> CellDepths:
    """Turn matches of a pair (a left, b right) into depths.

    The inverse depth puts the image of the point nearest to its match, by the covariance that the match has in pixels
    of the right image as it is: of a rectified pair, 1/z is disparity / (fx * baseline). A match that may have slid
    along an edge is brought back along it to its epipolar curve, and one on an edge along the curve counts little.
    Matches that leave the curve by more than `threshold_px`, or have no positive disparity, are left out; how far the
    others do tells the noise of all.
    """
    rays = camera.normalize(matches.points_a)
    start, _ = triangulate(rays, rig.right.normalize(matches.points_b), rig.T_left_right, noise=1.0)
    small = 1e-4 / rig.baseline
    place = rig.project(rays, start)
    slope = (rig.project(rays, start + small) - place) / small
    miss = matches.points_b - place
    across = np.abs(miss[:, 0] * slope[:, 1] - miss[:, 1] * slope[:, 0]) / np.linalg.norm(slope, axis=1)
    spread = np.tile(np.eye(2), (len(rays), 1, 1)) if matches.covariance_b is None else matches.covariance_b
    certainty = _products(slope, spread, slope)
    change = _products(slope, spread, miss) / certainty
    rest = miss - change[:, None] * slope
    on_curve = across <= threshold_px
    noise = 1.4826 * np.median(np.sqrt(_products(rest, spread, rest))[on_curve]) if on_curve.any() else np.nan
    sigma = max(float(noise), LEAST_NOISE_PX) / np.sqrt(certainty)
    return CellDepths.of(matches.cell_a, np.where(on_curve, start + change, np.nan), sigma)


def _products(a: Array, C: Array, b: Array) -> Array:
    """(N,) products a' C^-1 b of (N, 2) vectors and (N, 2, 2) covariances."""
    (a_x, a_y), (b_x, b_y), (xx, xy, _, yy) = a.T, b.T, C.reshape(-1, 4).T
    return np.asarray((yy * a_x * b_x - xy * (a_x * b_y + a_y * b_x) + xx * a_y * b_y) / (xx * yy - xy * xy))


def propagate(
    matches: Matches, camera: Camera, depths: CellDepths, T_a_b: Array, drift: float = 0.0
) -> PropagatedDepths:
    """Move the depths of image a along the matches to image b, whose pose in a is known."""
    value, sigma = depths.at(matches.cell_a)
    in_b = (homogeneous(camera.normalize(matches.points_a)) - value[:, None] * T_a_b[:3, 3]) @ T_a_b[:3, :3]
    good = np.isfinite(value) & (in_b[:, 2] > 1e-3)
    z = in_b[good, 2]
    return PropagatedDepths(camera.normalize(matches.points_b[good]), value[good] / z, sigma[good] / z**2, drift)
