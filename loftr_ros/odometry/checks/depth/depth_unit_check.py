"""Depth images whose unit cannot be right: no room is so small, and no depth camera sees so far."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning

# Median depths of frames, metres. Depth cameras for close range begin at 0.07 m; beyond 200 m none sees anything.
# Smallest and largest on record: 0.37 m (corridor) and 5 m (corridor, simulated).
_USUAL_MEDIAN = (0.1, 200.0)
# Sliding window of frames for the median, the least number of them, and the pixel stride.
_FRAMES, _LEAST_FRAMES, _EVERY = 9, 3, 32


class DepthUnitCheck:
    """Keeps the median depth of the last frames."""

    def __init__(self) -> None:
        """Start with no frames."""
        self._medians: deque[float] = deque(maxlen=_FRAMES)

    def add_depth(self, depth: NDArray[np.float32]) -> None:
        """Take an (H, W) depth image, metres."""
        some = depth[::_EVERY, ::_EVERY]
        known = some[(some > 0) & np.isfinite(some)]
        if known.size:
            self._medians.append(float(np.median(known)))

    @property
    def warning(self) -> InputWarning | None:
        """What is wrong with the unit, if anything."""
        if len(self._medians) < _LEAST_FRAMES:
            return None
        median = float(np.median(self._medians))
        if _USUAL_MEDIAN[0] <= median <= _USUAL_MEDIAN[1]:
            return None
        text = (
            f"the median depth is {median:.2g} m: check the unit of the depth images (floating-point images are in "
            "meters, counts of integers in a meter are 1000 for millimeters)"
        )
        return InputWarning(InputFault.DEPTH_UNIT, text)
