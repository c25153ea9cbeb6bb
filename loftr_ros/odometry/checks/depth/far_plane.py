"""Detects depth images that store a constant, such as the far plane of a renderer, where depth is unknown."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate

# Sliding window of motions, all of which must have the same largest depth at more than this share of the pixels. A wall
# in front of a moving camera changes its depth. Recorded sequences have at most 0.1 % of the pixels at their largest.
_WINDOW, _MIN_SHARE, _STRIDE = 5, 0.05, 16
_MIN_PARALLAX_PX = 2.0


class FarPlaneCheck:
    """Compares the largest depth of the images of successive motions."""

    def __init__(self) -> None:
        """Start without motions."""
        self._largest: deque[tuple[float, float]] = deque(maxlen=_WINDOW)

    def add_motion(self, depth: NDArray[np.float32], motion: RelativePoseEstimate) -> None:
        """Add the (H, W) depth image at the end of a measured motion, meters."""
        if motion.parallax_px < _MIN_PARALLAX_PX:
            return
        sampled = depth[::_STRIDE, ::_STRIDE]
        valid = sampled[(sampled > 0) & np.isfinite(sampled)]
        if valid.size:
            largest = valid.max()
            self._largest.append((float(largest), float((valid == largest).mean())))

    @property
    def warning(self) -> InputWarning | None:
        """The warning of a constant instead of unknown depth; None without a fault."""
        depths = {depth for depth, _ in self._largest}
        share = min((share for _, share in self._largest), default=0.0)
        if len(self._largest) < _WINDOW or len(depths) > 1 or share < _MIN_SHARE:
            return None
        text = (
            f"{100 * share:.0f} % of the depth pixels or more have the same largest depth, {depths.pop():.4g} m, "
            "while the camera moves: store 0 where depth is unknown or beyond the range, instead of the range"
        )
        return InputWarning(InputFault.DEPTH_CLIPPED, text)
