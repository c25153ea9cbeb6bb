"""A depth image that stays the same while the camera moves: its driver repeats it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.motion import Motion

# Of motions with at least this parallax, pixels, so many in a row must repeat the depth image of the keyframe; every so
# many pixels are compared. Of a moving camera not even two simulated depth images without noise are the same.
_LEAST_PARALLAX_PX, _LEAST_MOTIONS, _EVERY = 2.0, 3, 8


class FrozenDepthCheck:
    """Counts repeated depth images."""

    def __init__(self) -> None:
        """Start with none."""
        self._repeated = 0

    def add_motion(self, depth_a: NDArray[np.float32], depth_b: NDArray[np.float32], motion: Motion) -> None:
        """Take the (H, W) depth images of keyframe and frame, and the motion between them."""
        if motion.parallax_px >= _LEAST_PARALLAX_PX:
            a, b = depth_a[::_EVERY, ::_EVERY], depth_b[::_EVERY, ::_EVERY]
            same = bool(a.any()) and np.array_equal(a, b)
            self._repeated = self._repeated + 1 if same else 0

    @property
    def warning(self) -> InputWarning | None:
        """Whether the depth image stands still."""
        if self._repeated < _LEAST_MOTIONS:
            return None
        text = (
            f"the depth image has stayed exactly the same over {self._repeated} motions of the camera: its driver "
            "repeats an old one; restart it"
        )
        return InputWarning(InputFault.FROZEN_DEPTH, text)
