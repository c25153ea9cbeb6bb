"""A right image that is mirrored or upside down, which nothing matches, recognized at a coarse resolution."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Size at which the two views of a pair differ by a shift, pixels, and the part of the left one that is sought.
_SMALL, _MARGIN = (64, 48), (12, 4)
# Correlation (TM_CCOEFF_NORMED) of a turned image brought back, and how much more it has than the image as it is. Pairs
# of KITTI 06, EuRoC V1_01 and the rendered room have 0.90 and more, and turned wrongly 0.60, at least 0.35 less.
_LEAST_CORRELATION, _LEAST_GAIN = 0.7, 0.15
_FLIPS = {"upside down": 0, "mirrored": 1, "turned by 180 degrees": -1}  # codes of cv2.flip


def how_turned(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> str | None:
    """Say how the right (H, W) image is turned against the left; None if it is not, or shows something else."""
    sought, image = _small(left)[_MARGIN[1] : -_MARGIN[1], _MARGIN[0] : -_MARGIN[0]], _small(right)
    as_is = _correlation(image, sought)
    name, best = max(
        ((name, _correlation(np.asarray(cv2.flip(image, code), np.uint8), sought)) for name, code in _FLIPS.items()),
        key=lambda pair: pair[1],
    )
    return name if best > max(_LEAST_CORRELATION, as_is + _LEAST_GAIN) else None


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, _SMALL, interpolation=cv2.INTER_AREA), np.uint8)


def _correlation(image: NDArray[np.uint8], sought: NDArray[np.uint8]) -> float:
    return float(cv2.matchTemplate(image, sought, cv2.TM_CCOEFF_NORMED).max())
