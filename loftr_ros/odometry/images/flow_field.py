"""Dense smooth optical flow between two images, interpolated from matches."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.geometry.robust import cauchy_weights

# Side of the cells of the field, pixels.
# measured: docs/sensitivity.md, "corridor mono 0.084, 0.071, 0.061".
_CELL = 8
# Standard deviation of the Gaussian that smooths the field, cells.
# measured: docs/sensitivity.md, "flow_field._SMOOTH"; less and more are worse.
_SMOOTH = 1.5
# Side of the box filter that fills places without matches nearby, cells.
# assumed: reaches 196 pixels, a third of the width of usual images.
_BOX = 49
# Weight of the box filter.
# assumed: below that of a match in the Gaussian, 1 / (2 pi _SMOOTH^2) = 0.07, so it only fills.
_BOX_WEIGHT = 1e-3
# Scale of the Cauchy weights against outliers, pixels.
# measured: docs/sensitivity.md, "corridor mono 0.084, 0.071, 0.061".
_CAUCHY_SCALE_PX = 1.0
# Number of reweighting rounds.
# measured: docs/sensitivity.md, "flow_field._ROUNDS"; fewer and more are worse.
_ROUNDS = 3
# The image is warped in bands of this many rows of cells.
# numerical: they fit the cache.
_BAND = 8


@dataclass(frozen=True)
class FlowField:
    """Places of image a in image b.

    Attributes:
        places: (rows + 2, columns + 2, 2) places of the cell centers in image b, pixels (x, y), with a border of one
            cell.
        shape: (H, W) of image a.
    """

    places: NDArray[np.float32]
    shape: tuple[int, ...]

    @staticmethod
    def of(points_a: NDArray[np.float32], points_b: NDArray[np.float32], shape: tuple[int, ...]) -> FlowField:
        """Interpolate and smooth the displacements of matches.

        Normalized convolution (Knutsson and Westin, CVPR 1993) with a Gaussian on the cells, repeated with Cauchy
        weights against outliers.

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
            residual_x, residual_y = x - flow_x.ravel()[cell], y - flow_y.ravel()[cell]
            weight = cauchy_weights((residual_x**2 + residual_y**2) / _CAUCHY_SCALE_PX**2)
        flow = cv2.merge((flow_x, flow_y))
        places = np.asarray(cv2.copyMakeBorder(flow, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.float32)
        places[..., 0] += _CELL * (np.arange(columns + 2) - 0.5) - 0.5
        places[..., 1] += _CELL * (np.arange(rows + 2)[:, None] - 0.5) - 0.5
        return FlowField(places, shape)

    def at(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the places in image b of (N, 2) points of image a, pixels: bilinear, more exact than cv2.remap."""
        rows, columns = self.places.shape[:2]
        x, y = (points.T + 0.5) / _CELL + 0.5
        column, row = np.clip(x.astype(int), 0, columns - 2), np.clip(y.astype(int), 0, rows - 2)
        right, down = (x - column)[:, None], (y - row)[:, None]
        first, places = row * columns + column, self.places.reshape(-1, 2)
        above = (1.0 - right) * places[first] + right * places[first + 1]
        below = (1.0 - right) * places[first + columns] + right * places[first + columns + 1]
        return np.asarray((1.0 - down) * above + down * below, np.float32)

    def warp_to_a(self, image_b: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the (H, W) image b warped to image a."""
        height, width = self.shape
        image: NDArray[np.uint8] = np.empty((height, width), np.uint8)
        for row in range(0, len(self.places) - 2, _BAND):
            band = image[row * _CELL : (row + _BAND) * _CELL]
            places = cv2.resize(self.places[row : row + _BAND + 2], None, fx=_CELL, fy=_CELL)
            places = places[_CELL : _CELL + len(band), _CELL : _CELL + width]
            # The type hints of OpenCV lack the second map being None, as it is where the first has two channels.
            cv2.remap(image_b, places, None, cv2.INTER_LINEAR, band, cv2.BORDER_REPLICATE)  # type: ignore
        return image


def _averaged(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted sums over the neighborhood of each cell: Gaussian, and the box filter as a fallback."""
    gaussian = cv2.GaussianBlur(cells, (0, 0), _SMOOTH, borderType=cv2.BORDER_CONSTANT)
    box = cv2.blur(cells, (_BOX, _BOX), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(gaussian + _BOX_WEIGHT * box)
