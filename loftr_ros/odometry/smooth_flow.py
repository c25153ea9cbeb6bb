"""The motion of the image between two frames as a smooth field, from matches."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# The field is worked out for squares of so many pixels, and is smooth over so many of them (standard deviation).
_CELL, _SMOOTH = 8, 1.5
# Where there are no matches nearby, those of a neighbourhood so much wider count, with so little weight.
_WIDER, _LITTLE = 4.0, 1e-3
# Matches this far from their neighbours' motion count half, pixels; found by repeating the smoothing.
_ODD_PX, _ROUNDS = 1.0, 3


def smooth_flow(
    points_a: NDArray[np.float32], points_b: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return where each pixel of image a lies in image b.

    The displacements of the matches are averaged by normalized convolution (Knutsson and Westin, CVPR 1993) with a
    Gaussian on a coarse grid, and again with less weight for those that differ from their neighbours.

    Args:
        points_a, points_b: (N, 2) matches, pixels (x, y), points_a within image a.
        shape: (H, W) of image a.

    Returns:
        (H, W, 2) places (x, y) in image b, as cv2.remap takes them.
    """
    height, width = shape
    rows, columns = -(-height // _CELL), -(-width // _CELL)
    column, row = np.clip(points_a // _CELL, 0, (columns - 1, rows - 1)).astype(int).T
    moved = points_b - points_a
    weight: NDArray[np.float32] = np.ones(len(moved), np.float32)
    for _ in range(_ROUNDS):
        sums = np.zeros((rows, columns, 3), np.float32)
        np.add.at(sums, (row, column), weight[:, None] * np.column_stack([moved, np.ones_like(weight)]))
        sums = _blur(sums, _SMOOTH) + _LITTLE * _blur(sums, _WIDER * _SMOOTH)
        flow = sums[..., :2] / np.maximum(sums[..., 2:], 1e-9)
        odd = np.linalg.norm(moved - flow[row, column], axis=1) / _ODD_PX
        weight = 1.0 / (1.0 + odd**2)
    places = np.asarray(cv2.resize(flow, (columns * _CELL, rows * _CELL))[:height, :width], np.float32)
    places[..., 0] += np.arange(width, dtype=np.float32)
    places[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return places


def _blur(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT))
