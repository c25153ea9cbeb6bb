"""Detects bars of one gray level at the borders of the images, as letterboxing adds to another aspect ratio.

The calibration is often that of the images without the bars, or before they were scaled to fit between them. Borders of
rectified images are curved, and dark scenes have no straight edge in the same row of all images.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning

# Sliding window, and number of images for a warning, all of which must have the bars.
_WINDOW, _MIN_IMAGES = 10, 5
# Range of gray levels in a bar: lossy compression changes some. Least width, relative to the image, and largest change
# of the width between images, pixels.
_MAX_RANGE, _MIN_WIDTH, _MAX_CHANGE_PX = 12, 0.02, 2
# The edge is straight if more than this share of it is within this distance of the median, pixels: all of it, with JPEG
# at 50 % quality, too, and up to 0.88 at the border of images rectified from 168 simulated lenses.
_MIN_EDGE_SHARE, _EDGE_PX = 0.9, 2
_STRIDE = 4  # of the pixels along a bar
_SIDES = "top", "bottom", "left", "right"


class BlackBars:
    """Measures the bars of the recent images, in microseconds for images without any."""

    def __init__(self) -> None:
        """Start without images."""
        self._widths: deque[NDArray[np.int64]] = deque(maxlen=_WINDOW)

    def add_frame(self, image: NDArray[np.uint8]) -> None:
        """Add an (H, W) gray image."""
        lines = image[:, ::_STRIDE], image[::-1, ::_STRIDE], image[::_STRIDE].T, image[::_STRIDE, ::-1].T
        self._widths.append(np.array([_width_of_bar(side) for side in lines]))

    @property
    def warning(self) -> InputWarning | None:
        """The warning of bars in all recent images; None without any."""
        if len(self._widths) < _MIN_IMAGES:
            return None
        smallest, largest = np.min(self._widths, axis=0), np.max(self._widths, axis=0)
        is_bar = (smallest > 0) & (largest - smallest <= _MAX_CHANGE_PX)
        if not is_bar.any():
            return None
        bars = ", ".join(f"{smallest[i]} px at the {_SIDES[i]}" for i in np.flatnonzero(is_bar))
        text = (
            f"the images have bars of one gray level ({bars}), which are no part of the picture: a calibration of the "
            "picture without them, or before it was scaled to fit between them, is wrong; record the picture without "
            "bars, or calibrate with these images"
        )
        return InputWarning(InputFault.BLACK_BARS, text)


def _width_of_bar(lines: NDArray[np.uint8]) -> int:
    """Return the number of first lines of (N, M) that form a bar; 0 without one."""
    if len(lines) < 3 or np.ptp(lines[0]) > _MAX_RANGE:
        return 0
    third = lines[: len(lines) // 3].astype(np.int16)
    is_other = np.abs(third - int(np.median(lines[0]))) > _MAX_RANGE
    ends = np.where(is_other.any(axis=0), is_other.argmax(axis=0), len(third))
    width = int(np.median(ends))
    is_straight = (np.abs(ends - width) <= _EDGE_PX).mean() > _MIN_EDGE_SHARE
    return width if is_straight and _MIN_WIDTH * len(lines) < width < len(third) else 0
