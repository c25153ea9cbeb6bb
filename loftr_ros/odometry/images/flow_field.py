"""The motion of the image between two frames as a smooth field, from matches."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# The field is worked out for squares of so many pixels, and is smooth over so many of them (standard deviation).
_CELL, _SMOOTH = 8, 1.5
# Where there are no matches nearby, those of so many cells around count, with so little weight.
_WIDE, _LITTLE = 49, 1e-3
# Matches this far from their neighbours' motion count half, pixels; found by repeating the smoothing.
_ODD_PX, _ROUNDS = 1.0, 3
# An image is brought back in bands of so many cells: what that takes stays in the cache.
_BAND = 8


@dataclass(frozen=True)
class FlowField:
    """Where image a lies in image b.

    Attributes:
        places: (rows + 2, columns + 2, 2) where the middles of its cells are, pixels (x, y), with one more all around.
        shape: (H, W) of image a.
    """

    places: NDArray[np.float32]
    shape: tuple[int, ...]

    @staticmethod
    def of(points_a: NDArray[np.float32], points_b: NDArray[np.float32], shape: tuple[int, ...]) -> FlowField:
        """Smooth the motion of matches.

        Their displacements are averaged by normalized convolution (Knutsson and Westin, CVPR 1993) with a Gaussian on
        the cells, and again with less weight for those that differ from their neighbours.

        Args:
            points_a, points_b: (N, 2) matches, pixels (x, y), points_a within image a.
            shape: (H, W) of image a.
        """
        rows, columns = (-(-side // _CELL) for side in shape)
        column, row = (points_a.T / _CELL).astype(int)
        cell = np.clip(row, 0, rows - 1) * columns + np.clip(column, 0, columns - 1)
        x, y = (points_b - points_a).T
        weight: NDArray[np.float32] = np.ones(len(cell), np.float32)
        for _ in range(_ROUNDS):
            sums = [np.bincount(cell, one, rows * columns) for one in (weight * x, weight * y, weight)]
            sum_x, sum_y, total = (_averaged(one.reshape(rows, columns).astype(np.float32)) for one in sums)
            total = np.maximum(total, 1e-9)
            flow_x, flow_y = sum_x / total, sum_y / total
            odd_x, odd_y = x - flow_x.ravel()[cell], y - flow_y.ravel()[cell]
            weight = 1.0 / (1.0 + (odd_x**2 + odd_y**2) / _ODD_PX**2)
        flow = cv2.merge((flow_x, flow_y))
        places = np.asarray(cv2.copyMakeBorder(flow, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.float32)
        places[..., 0] += _CELL * (np.arange(columns + 2) - 0.5) - 0.5
        places[..., 1] += _CELL * (np.arange(rows + 2)[:, None] - 0.5) - 0.5
        return FlowField(places, shape)

    def at(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the places of (N, 2) points of image a in image b: bilinear, and finer than cv2.remap would be."""
        rows, columns = self.places.shape[:2]
        x, y = (points.T + 0.5) / _CELL + 0.5
        column, row = np.clip(x.astype(int), 0, columns - 2), np.clip(y.astype(int), 0, rows - 2)
        right, down = (x - column)[:, None], (y - row)[:, None]
        first, places = row * columns + column, self.places.reshape(-1, 2)
        above = (1.0 - right) * places[first] + right * places[first + 1]
        below = (1.0 - right) * places[first + columns] + right * places[first + columns + 1]
        return np.asarray((1.0 - down) * above + down * below, np.float32)

    def warp_to_a(self, image_b: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return image b in the shape of image a."""
        height, width = self.shape
        image: NDArray[np.uint8] = np.empty((height, width), np.uint8)
        for row in range(0, len(self.places) - 2, _BAND):
            band = image[row * _CELL : (row + _BAND) * _CELL]
            places = cv2.resize(self.places[row : row + _BAND + 2], None, fx=_CELL, fy=_CELL)
            places = places[_CELL : _CELL + len(band), _CELL : _CELL + width]
            # The type hints of OpenCV do not know that there is no second map when the first holds both coordinates.
            cv2.remap(image_b, places, None, cv2.INTER_LINEAR, band, cv2.BORDER_REPLICATE)  # type: ignore
        return image


def _averaged(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    near = cv2.GaussianBlur(cells, (0, 0), _SMOOTH, borderType=cv2.BORDER_CONSTANT)
    wide = cv2.blur(cells, (_WIDE, _WIDE), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(near + _LITTLE * wide)
