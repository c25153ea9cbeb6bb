"""Conversion of gray images of 10 to 16 bits, such as thermal and machine-vision cameras give, to 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STRETCHED = "images of 16 bits are stretched by content to 8"  # note for the user
TAILS = (0.5, 99.5)  # percentiles that become black and white: hot and dead pixels lie outside
MIN_SPAN = 32  # counts: bounds the amplification of noise in an image without content
STEPS = 8  # quantization of the limits, of the span: they seldom change between frames
SAMPLES = 1 << 16  # number of pixels sampled for the percentiles, about


def to_eight_bits(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Stretch the contrast of (H, W) uint16 to 256 gray levels, between percentiles; uint8 is returned unchanged.

    A fixed scale would lose the contrast: cameras of 10 to 14 bits leave most of the range empty, and thermal ones use
    a few hundred counts.

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
    """Return the counts that become black and white, quantized to a power of two."""
    stride = max(1, int((image.size / SAMPLES) ** 0.5))
    low, high = np.percentile(image[::stride, ::stride], TAILS)
    span = max(high - low, MIN_SPAN)
    step = 1 << max(0, int(np.ceil(np.log2(span / STEPS))))
    first = int(low // step) * step
    return first, max(int(-(-high // step)) * step, first + MIN_SPAN)
