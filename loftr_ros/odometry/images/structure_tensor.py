"""Structure tensor of an image: how precisely patches around its points can be located in another image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array

# Side of the patches, pixels; 15 takes longer, because of the SIMD width.
# measured: docs/sensitivity.md, "corridor mono 0.084, 0.071, 0.061".
WINDOW = 17
# Standard deviation of the noise between two images of one patch, gray levels.
# assumed: of 8-bit video in good light. Covariances are relative, so it matters for patches with little texture only.
GRAY_NOISE = 2.0
# Number of pixels that share one sample of that noise.
# assumed: 3 x 3, by demosaicing and compression.
_CORRELATED_PIXELS = 9.0
# Standard deviation of a point without any texture, pixels.
# assumed: of the matcher alone, where the images cannot refine it.
_UNREFINED_PX = 3.0
# Lower bound of the standard deviation of a point, pixels.
# measured: docs/odometry.md, "A lower bound of 0.1 instead of 0.05 px".
_BEST_PX = 0.05


@dataclass(frozen=True)
class StructureTensor:
    """Structure tensor (Foerstner and Guelch, 1987) of an (H, W) uint8 gray image, computed on first use."""

    image: NDArray[np.uint8]

    def patch_covariance(self, points: NDArray[np.float32]) -> Array:
        """Return the covariances of patch locations from gray values, relative to their median.

        The inverse structure tensor, times the noise of the gray values.

        Args:
            points: (N, 2) centers of the patches, pixels (x, y).

        Returns:
            (N, 2, 2).
        """
        column, row = np.clip((points / 4).astype(int), 0, np.array(self._elements[0].shape[::-1]) - 1).T
        xx, xy, yy = np.array([one[row, column] for one in self._elements], np.float64)
        xx, yy = xx + _UNREFINED_PX**-2, yy + _UNREFINED_PX**-2
        inverse = np.stack([yy, -xy, -xy, xx], axis=1).reshape(-1, 2, 2) / (xx * yy - xy * xy)[:, None, None]
        covariance = inverse + _BEST_PX**2 * np.eye(2)
        return np.asarray(covariance / np.median(np.trace(covariance, axis1=1, axis2=2) / 2))

    @cached_property
    def _elements(self) -> list[cv2.typing.MatLike]:
        """Its elements xx, xy and yy at every fourth pixel of every fourth row, 1 / pixels^2.

        Gradients are taken at half resolution, which smooths them, and their products are averaged over 2 x 2.
        """
        x, y = cv2.spatialGradient(halved(self.image))  # 16 times the gradients of the image
        scale = (WINDOW / 16) ** 2 / (GRAY_NOISE**2 * _CORRELATED_PIXELS)
        products = (cv2.multiply(*pair, scale=scale, dtype=cv2.CV_32F) for pair in ((x, x), (x, y), (y, y)))
        return [cv2.blur(halved(one), (WINDOW // 4 + 1, WINDOW // 4 + 1)) for one in products]


def halved(image: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """Return an (H, W) image at half its size, averaged over 2 x 2 pixels."""
    return cv2.resize(image, (max(image.shape[1] // 2, 1), max(image.shape[0] // 2, 1)), interpolation=cv2.INTER_AREA)
