"""Inverse depth of the cells of a keyframe from a registered depth image: dense, with holes, or sparse."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.mapping.inverse_depth import CellDepths, interpolated

# Relative depth range within one pixel around a point above which it is on a depth edge, and so unknown.
# assumed: twice that of a surface seen at a grazing angle of 10 degrees with a focal length of 500 pixels.
_DEPTH_EDGE = 0.05
# Relative standard deviation of the depth elsewhere.
# assumed: noise and registration of a depth camera together.
_DEPTH_SIGMA = 0.02
# Where pixels are unknown: search radius for the nearest known ones on all four sides, pixels.
# measured: docs/odometry.md, "all but every sixth row".
_RADIUS = 6
# Relative depth range among those pixels above which they are on a depth edge.
# derived: 2 _DEPTH_EDGE; they are farther apart.
_SPARSE_EDGE = 2 * _DEPTH_EDGE


def depths_from_image(matches: Matches, depth: NDArray[np.float32]) -> CellDepths:
    """Sample a registered depth image at the points of image a: bilinear interpolation of inverse depth.

    Small holes and sparse depth are interpolated; the result is unknown at depth edges and far from any known pixel.

    Args:
        matches: image a is that of the depth image.
        depth: (H, W) meters along the optical axis; 0 and values that are not finite are unknown.
    """
    height, width = depth.shape
    pixels = np.rint(matches.points_a).astype(int)[:, None] + np.mgrid[-1:2, -1:2].reshape(2, -1).T
    x, y = np.clip(pixels, 0, (width - 1, height - 1)).transpose(2, 0, 1)
    around = depth[y, x].astype(np.float64)
    nearest, farthest = around.min(axis=1), around.max(axis=1)
    smooth = (nearest > 0) & np.isfinite(farthest) & (farthest - nearest <= _DEPTH_EDGE * nearest)
    bilinear = np.maximum(1.0 - np.abs(pixels - matches.points_a[:, None]), 0.0).prod(axis=2)
    value = np.full(len(x), np.nan)
    value[smooth] = (bilinear[smooth] / around[smooth]).sum(axis=1)
    sigma = _DEPTH_SIGMA * value
    partly = ~(np.isfinite(around) & (around > 0)).all(axis=1)
    if partly.any() and min(depth.shape) > 2 * _RADIUS:
        value[partly], sigma[partly] = _between_holes(matches.points_a[partly], depth, around[partly])
    return CellDepths.of(matches.cell_a, value, sigma)


def _between_holes(points: NDArray[np.float32], depth: NDArray[np.float32], around: Array) -> tuple[Array, Array]:
    """(N,) inverse depths at (N, 2) points, and standard deviations; NaN where unknown.

    Interpolated from the nearest known pixel on each of the four sides, unless these and the known ones of the (N, 9)
    pixels `around` span a depth edge.
    """
    height, width = depth.shape
    sides = _sides()
    middle = np.rint(points).astype(int)
    inner = ((middle >= _RADIUS) & (middle < (width - _RADIUS, height - _RADIUS))).all(axis=1)
    start = np.where(inner, middle[:, 1] * width + middle[:, 0], _RADIUS * (width + 1))  # the others become NaN below
    reached = depth.ravel()[start[:, None] + sides @ (1, width)].reshape(len(points), 4, -1)
    index = np.argmax((reached > 0) & (reached < np.inf), axis=2) + reached.shape[2] * np.arange(4)
    chosen = np.take_along_axis(reached.reshape(len(points), -1), index, axis=1).astype(np.float64)
    known = np.column_stack([chosen, np.where(np.isfinite(around) & (around > 0), around, chosen[:, :1])])
    smallest, largest = known.min(axis=1), known.max(axis=1)
    smooth = (smallest > 0) & np.isfinite(largest) & (largest - smallest <= _SPARSE_EDGE * smallest)
    inverse = 1.0 / np.where((inner & smooth)[:, None], chosen, np.nan)
    value, sigma = interpolated(sides[index] + (middle - points)[:, None], inverse, np.zeros_like(inverse))
    return value, np.hypot(_DEPTH_SIGMA * value, sigma)


@cache
def _sides() -> NDArray[np.int64]:
    """(4 * M, 2) offsets of the pixels around one: sorted by side, the nearest first."""
    x, y = np.mgrid[1 : _RADIUS + 1, 0 : _RADIUS + 1].reshape(2, -1)
    quadrants = [np.column_stack([x, y])[np.argsort(np.hypot(x, y), kind="stable")]]
    for _ in range(3):
        quadrants.append(np.column_stack([-quadrants[-1][:, 1], quadrants[-1][:, 0]]))
    return np.concatenate(quadrants)
