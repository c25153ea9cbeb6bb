"""Depth of the cells of a keyframe from a registered depth image, which may be dense, have holes or be sparse."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.mapping.inverse_depth import CellDepths, interpolated

# A depth image counts as known where it varies by less than this within a pixel, as a share of the depth ...
_DEPTH_EDGE = 0.05
# ... and is then taken to be this exact, as a share of the depth.
_DEPTH_IMAGE_SIGMA = 0.02
# Search radius, pixels: where some pixels are unknown, the nearest known ones on all four sides are taken, if they
# differ by less than this, as a share of the depth.
_REACH, _SPARSE_EDGE = 6, 0.1


def depths_from_image(matches: Matches, depth: NDArray[np.float32]) -> CellDepths:
    """Read a registered depth image at the points of image a, between pixels.

    Unknown at depth edges and where no depth is around: small holes and sparse depth are interpolated.

    Args:
        matches: image a belongs to the depth image.
        depth: (H, W) metres along the optical axis; 0 and what is not finite are unknown.
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
    sigma = _DEPTH_IMAGE_SIGMA * value
    partly = ~(np.isfinite(around) & (around > 0)).all(axis=1)
    if partly.any() and min(depth.shape) > 2 * _REACH:
        value[partly], sigma[partly] = _between_holes(matches.points_a[partly], depth, around[partly])
    return CellDepths.of(matches.cell_a, value, sigma)


def _between_holes(points: NDArray[np.float32], depth: NDArray[np.float32], around: Array) -> tuple[Array, Array]:
    """(N,) inverse depths at (N, 2) points, and standard deviations; NaN where unknown.

    From each of the four sides the nearest known pixel is taken. Neither they nor what is known of the (N, 9) pixels
    `around` may be on both sides of a depth edge.
    """
    height, width = depth.shape
    sides = _sides()
    middle = np.rint(points).astype(int)
    inner = ((middle >= _REACH) & (middle < (width - _REACH, height - _REACH))).all(axis=1)
    start = np.where(inner, middle[:, 1] * width + middle[:, 0], _REACH * (width + 1))  # the others come to nothing
    reached = depth.ravel()[start[:, None] + sides @ (1, width)].reshape(len(points), 4, -1)
    index = np.argmax((reached > 0) & (reached < np.inf), axis=2) + reached.shape[2] * np.arange(4)
    chosen = np.take_along_axis(reached.reshape(len(points), -1), index, axis=1).astype(np.float64)
    known = np.column_stack([chosen, np.where(np.isfinite(around) & (around > 0), around, chosen[:, :1])])
    smallest, largest = known.min(axis=1), known.max(axis=1)
    smooth = (smallest > 0) & np.isfinite(largest) & (largest - smallest <= _SPARSE_EDGE * smallest)
    inverse = 1.0 / np.where((inner & smooth)[:, None], chosen, np.nan)
    value, sigma = interpolated(sides[index] + (middle - points)[:, None], inverse, np.zeros_like(inverse))
    return value, np.hypot(_DEPTH_IMAGE_SIGMA * value, sigma)


@cache
def _sides() -> NDArray[np.int64]:
    """(4 * M, 2) offsets of pixels around one, by the side that they are on, and the nearest first."""
    x, y = np.mgrid[1 : _REACH + 1, 0 : _REACH + 1].reshape(2, -1)
    turns = [np.column_stack([x, y])[np.argsort(np.hypot(x, y), kind="stable")]]
    for _ in range(3):
        turns.append(np.column_stack([-turns[-1][:, 1], turns[-1][:, 0]]))
    return np.concatenate(turns)
