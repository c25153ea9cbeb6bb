"""Detects interlaced images, whose odd and even rows differ in time, and Bayer mosaics decoded as gray images."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning

# Ratio of the mean difference of neighboring rows to that of rows two apart, above which to warn. At most 0.67 in
# KITTI, EuRoC, TUM, 7-Scenes and TartanAir, 0.84 in 400 photos, 1.0 in noise; with the odd rows of the image before, at
# the median 1.1 (a slow turn of 7-Scenes at 30 Hz) to 2.7; Bayer mosaics of colored rooms have 1.3 to 2.5, in columns
# 1.9 to 3.2.
MAX_RATIO = 1.2
WINDOW, MIN_FRAMES = 10, 3  # sliding window, and number of frames for a warning, besides half of them
LINES = 80  # number of columns or rows to compare


class RowCheck:
    """Compares neighboring rows and columns of the recent images, at 0.05 ms per image."""

    def __init__(self) -> None:
        """Start without images."""
        self._ratios: deque[tuple[float, float]] = deque(maxlen=WINDOW)

    def add_frame(self, image: NDArray[np.uint8]) -> None:
        """Add an (H, W) gray image."""
        rows = _neighbor_ratio(image[:, :: max(1, image.shape[1] // LINES)])
        columns = _neighbor_ratio(image[:: max(1, image.shape[0] // LINES)].T) if rows > MAX_RATIO else 0.0
        self._ratios.append((rows, columns))

    @property
    def warning(self) -> InputWarning | None:
        """The warning, if at least half of the recent images have the fault; else None."""
        faulty = [ratios for ratios in self._ratios if ratios[0] > MAX_RATIO]
        if len(faulty) < max(MIN_FRAMES, len(self._ratios) / 2):
            return None
        rows, columns = np.median(faulty, axis=0)
        measured = f"neighboring rows differ {rows:.1f} times as much as rows two apart"
        if columns > MAX_RATIO:
            return InputWarning(
                InputFault.BAYER,
                f"{measured}, and columns likewise: the images are the Bayer mosaic of a color camera, convert them to "
                "gray first (encoding bayer_… instead of mono8)",
            )
        return InputWarning(
            InputFault.INTERLACED,
            f"{measured}: the images are interlaced, odd and even rows are of two times; set the camera to "
            "progressive, or use every other row with half of fy and cy",
        )


def _neighbor_ratio(lines: NDArray[np.uint8]) -> float:
    """Return the ratio of mean differences, rows of (N, M) one and two apart; 0 for an image without contrast."""
    values = np.ascontiguousarray(lines)
    if len(values) <= 2:
        return 0.0
    near, far = (cv2.norm(values[step:], values[:-step], cv2.NORM_L1) / (len(values) - step) for step in (1, 2))
    return near / far if far else 0.0
