"""Images of more than 8 bits, such as those of thermal and machine vision cameras, as gray images of 8."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STRETCHED = "images of 16 bits are stretched by content to 8"  # what users are told
TAILS = (0.5, 99.5)  # percentiles: hot and dead pixels lie outside
MIN_SPAN = 32  # counts: the noise of an image without content is not stretched over all levels
STEPS = 8  # of the span: its ends lie on a grid as coarse as that, so that they seldom change between frames
SAMPLES = 1 << 16  # pixels that the percentiles are taken from, about


def to_eight_bits(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Stretch (H, W) uint16 by content over 256 gray levels; uint8 is returned unchanged.

    Cameras of 10 to 14 bits leave most of 16 bits empty, thermal ones use a few hundred counts of them.

    Raises:
        TypeError: the pixels are of another type.
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype != np.uint16:
        raise TypeError(f"pixels of type {image.dtype}")
    low, high = _limits(image)
    levels = np.clip((np.arange(1 << 16) - low) * (255 / (high - low)), 0, 255)
    return np.asarray(np.rint(levels), np.uint8)[image]


def _limits(image: NDArray[np.uint16]) -> tuple[int, int]:
    """Return the counts that become black and white, on a grid whose step is a power of two."""
    stride = max(1, int((image.size / SAMPLES) ** 0.5))
    low, high = np.percentile(image[::stride, ::stride], TAILS)
    span = max(high - low, MIN_SPAN)
    step = 1 << max(0, int(np.ceil(np.log2(span / STEPS))))
    first = int(low // step) * step
    return first, max(int(-(-high // step)) * step, first + MIN_SPAN)
