"""Detects a wrong unit of depth images from implausible median depths."""

from __future__ import annotations

from collections import deque
from statistics import median as median_of_few

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.geometry.robust import median

# Range of plausible median depths, meters: depth cameras for close range measure from 0.07 m, and none beyond 200 m.
# Recorded sequences have 0.37 m (corridor) to 5 m (corridor, simulated).
_MIN_MEDIAN_M, _MAX_MEDIAN_M = 0.1, 200.0
# Sliding window of frames, number of frames for a warning, and the pixel stride.
_WINDOW, _MIN_FRAMES, _STRIDE = 9, 3, 32


class DepthUnitCheck:
    """Compares the median depth of the recent frames with the plausible range."""

    def __init__(self) -> None:
        """Start without frames."""
        self._medians: deque[float] = deque(maxlen=_WINDOW)

    def add_depth(self, depth: NDArray[np.float32]) -> None:
        """Add an (H, W) depth image, meters."""
        sampled = depth[::_STRIDE, ::_STRIDE]
        valid = sampled[(sampled > 0) & np.isfinite(sampled)]
        if valid.size:
            self._medians.append(median(valid))

    @property
    def warning(self) -> InputWarning | None:
        """The warning of an implausible unit; None without a fault."""
        if len(self._medians) < _MIN_FRAMES:
            return None
        typical = median_of_few(self._medians)
        if _MIN_MEDIAN_M <= typical <= _MAX_MEDIAN_M:
            return None
        text = (
            f"the median depth is {typical:.2g} m: check the unit of the depth images (floating-point images are in "
            "meters, counts of integers in a meter are 1000 for millimeters)"
        )
        return InputWarning(InputFault.DEPTH_UNIT, text)
