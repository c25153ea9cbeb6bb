"""How well patches of an image can be found in another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array

WINDOW = 17  # pixels, side of the patches that are compared; 15 take longer, because processors work in eights
# Differences between two images of one patch, grey levels; neighbouring pixels err together, in blocks of so many.
_GREY_NOISE, _COMMON_PIXELS = 2.0, 9.0
# A point is known this well without any texture, by the matcher, and not better than this with the best, pixels.
_UNPOLISHED_PX, _BEST_PX = 3.0, 0.05


@dataclass(frozen=True)
class Texture:
    """An (H, W) uint8 grey image, and the structure tensor (Foerstner and Guelch, 1987) all over it, on demand."""

    image: NDArray[np.uint8]

    def spread(self, points: NDArray[np.float32]) -> Array:
        """Return the covariance (N, 2, 2) of patches sought by their grey values, as a multiple of the median one.

        It is the inverse of the structure tensor, times the noise of the grey values.

        Args:
            points: (N, 2) middles of the patches, pixels (x, y).
        """
        column, row = np.clip((points / 4).astype(int), 0, np.array(self._tensor[0].shape[::-1]) - 1).T
        xx, xy, yy = np.array([one[row, column] for one in self._tensor], np.float64)
        xx, yy = xx + _UNPOLISHED_PX**-2, yy + _UNPOLISHED_PX**-2
        inverse = np.stack([yy, -xy, -xy, xx], axis=1).reshape(-1, 2, 2) / (xx * yy - xy * xy)[:, None, None]
        covariance = inverse + _BEST_PX**2 * np.eye(2)
        return np.asarray(covariance / np.median(np.trace(covariance, axis1=1, axis2=2) / 2))

    @cached_property
    def _tensor(self) -> list[cv2.typing.MatLike]:
        """Its elements xx, xy and yy for the patches around every fourth pixel of every fourth row, 1 / pixels^2.

        The gradients are those of the image at half its size, which smooths them, and their products are taken together
        by fours.
        """
        x, y = cv2.spatialGradient(halved(self.image))  # 16 times the gradients of the image
        scale = (WINDOW / 16) ** 2 / (_GREY_NOISE**2 * _COMMON_PIXELS)
        products = (cv2.multiply(*pair, scale=scale, dtype=cv2.CV_32F) for pair in ((x, x), (x, y), (y, y)))
        return [cv2.blur(halved(one), (WINDOW // 4 + 1, WINDOW // 4 + 1)) for one in products]


def halved(image: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """Return an (H, W) image at half its size, pixels averaged by fours."""
    return cv2.resize(image, (max(image.shape[1] // 2, 1), max(image.shape[0] // 2, 1)), interpolation=cv2.INTER_AREA)
