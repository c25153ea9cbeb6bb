"""Detects a mirrored or rotated right image, which has no matches, by correlation at a coarse resolution."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Size at which the views of a pair differ by a shift only, pixels, and the margin of the template from the left image.
_SMALL, _MARGIN = (64, 48), (12, 4)
# Lower bounds of the correlation (TM_CCOEFF_NORMED) after the correct flip, and of its gain over no flip. Pairs of
# KITTI 06, EuRoC V1_01 and the rendered room have at least 0.90, and at most 0.60 after a wrong flip, at least 0.35
# less.
_MIN_CORRELATION, _MIN_GAIN = 0.7, 0.15
_FLIPS = {"upside down": 0, "mirrored": 1, "turned by 180 degrees": -1}  # codes of cv2.flip


def detected_flip(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> str | None:
    """Return how the right (H, W) image is flipped relative to the left; None if not, or if they do not correlate."""
    template, image = _small(left)[_MARGIN[1] : -_MARGIN[1], _MARGIN[0] : -_MARGIN[0]], _small(right)
    unflipped = _correlation(image, template)
    name, best = max(
        ((name, _correlation(np.asarray(cv2.flip(image, code), np.uint8), template)) for name, code in _FLIPS.items()),
        key=lambda pair: pair[1],
    )
    return name if best > max(_MIN_CORRELATION, unflipped + _MIN_GAIN) else None


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, _SMALL, interpolation=cv2.INTER_AREA), np.uint8)


def _correlation(image: NDArray[np.uint8], template: NDArray[np.uint8]) -> float:
    return float(cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED).max())
