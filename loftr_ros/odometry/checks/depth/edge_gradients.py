"""Color gradients at shifted depth edges, by which delay of the depth image they coincide with color edges."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.images.frame import Frame

# Tested delays, frames; larger shifts reach other edges in repetitive scenes.
DELAYS = np.arange(-3, 4)
UNDELAYED = len(DELAYS) // 2
# Width of the downsampled images, bounds of the number of edge pixels, and lower bound of the motion per frame: edges
# are located to a pixel.
WIDTH, _MAX_EDGES, MIN_EDGES, MIN_MOTION_PX = 320, 800, 50, 1.0
# Relative change of inverse depth within two pixels at a depth edge, and row stride of edges.
_DEPTH_EDGE, _ROW_STRIDE = 0.1, 3
# Size of the cells of the field of image motion, pixels of the downsampled image.
_CELL = 4
# Quantile at which gradients are clipped, and the pixel stride at which it is measured.
_CLIP_SHARE, _CLIP_STRIDE = 0.95, 4


def gradients_by_delay(frame: Frame, points: NDArray[np.float32], motion: NDArray[np.float32]) -> Array | None:
    """Return the (delays,) mean color gradients at the depth edges, relative to their mean; None for too few edges.

    Args:
        frame: with color and depth image.
        points: (N, 2) pixels.
        motion: (N, 2) image motion of the points per frame, pixels.
    """
    assert frame.depth is not None
    stride = max(round(frame.depth.shape[1] / WIDTH), 1)
    edges = _depth_edges(frame.depth[::stride, ::stride])
    edges = edges[:: max(len(edges) // _MAX_EDGES, 1)]
    if len(edges) < MIN_EDGES:
        return None
    height, width = frame.depth.shape[0] // stride, frame.depth.shape[1] // stride
    moved = _motion_at(edges, points / stride, motion / stride, (height, width))
    moving = (moved**2).sum(axis=1) > MIN_MOTION_PX**2
    if np.count_nonzero(moving) < MIN_EDGES:
        return None
    shifted = edges[moving] + DELAYS[:, None, None] * moved[moving]
    column, row = np.rint(shifted).astype(int).transpose(2, 0, 1)
    inside = ((column > 0) & (column < width - 1) & (row > 0) & (row < height - 1)).all(axis=0)
    if np.count_nonzero(inside) < MIN_EDGES:
        return None
    x, y = _gradient(frame.image, (width, height))
    some = slice(None, None, _CLIP_STRIDE)
    clip = _upper_quantile(_length(x[some, some], y[some, some]))
    pixels = row[:, inside], column[:, inside]
    means = np.minimum(_length(x[pixels], y[pixels]), clip).mean(axis=1)
    return means / max(float(means.mean()), 1e-9)


def _gradient(image: NDArray[np.uint8], size: tuple[int, int]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return the x and y gradient of a gray image, downsampled to (width, height)."""
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    x, y = (np.asarray(cv2.Sobel(small, cv2.CV_16S, *order), np.int16) for order in ((1, 0), (0, 1)))
    return x, y


def _length(x: NDArray[np.int16], y: NDArray[np.int16]) -> Array:
    return np.hypot(x.astype(np.float64), y)


def _upper_quantile(values: Array) -> float:
    rank = int(_CLIP_SHARE * values.size)
    return float(np.partition(values, rank, axis=None)[rank])


def _motion_at(
    pixels: NDArray[np.int64], points: NDArray[np.float32], motion: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the (M, 2) motion of the nearest of N points, to the size of a cell, at (M, 2) pixels of an image."""
    height, width = size
    empty = np.ones((height // _CELL + 1, width // _CELL + 1), np.uint8)
    of_cell = np.zeros(empty.shape, int)
    column, row = np.clip((points / _CELL).astype(int), 0, (empty.shape[1] - 1, empty.shape[0] - 1)).T
    empty[row, column], of_cell[row, column] = 0, np.arange(len(points))
    labels = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    nearest = np.zeros(labels.max() + 1, int)
    nearest[labels[row, column]] = of_cell[row, column]
    column, row = (pixels // _CELL).T
    return motion[nearest[labels[row, column]]]


def _depth_edges(depth: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N, 2) pixels x, y of some rows, with a jump of inverse depth between valid neighbors."""
    depth = np.ascontiguousarray(depth)
    if not (depth.min() >= 0 and depth.max() < np.inf):  # also with NaN
        depth = np.where((depth > 0) & (depth < np.inf), depth, np.float32(0))
    rows, above, below = (depth[first : len(depth) - 2 + first : _ROW_STRIDE] for first in (1, 0, 2))
    edge = _is_edge(rows[:, 1:-1], rows[:, :-2], rows[:, 2:]) | _is_edge(rows[:, 1:-1], above[:, 1:-1], below[:, 1:-1])
    row, column = np.nonzero(edge)
    return np.column_stack([column + 1, _ROW_STRIDE * row + 1])


def _is_edge(depth: NDArray[np.float32], before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mask of the pixels where the inverse depth before and after differs: |1/a - 1/b| > e/d, as d |b - a| > e a b.

    False where one of the depths is 0, unknown.
    """
    product, jump = before * after, after - before
    np.abs(jump, out=jump)
    jump *= depth
    is_known = product > 0
    product *= np.float32(_DEPTH_EDGE)
    return is_known & (jump > product)
