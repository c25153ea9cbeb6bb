"""Detects bit-identical images with new stamps: a driver that repeats images, or a stationary noise-free camera.

Sensor noise and motion make any two images differ. If the camera moved one frame before, an image equal to the last one
is a repetition: it was not taken at its stamp, and does not show that the camera stopped. If the camera was stationary,
equal images come from a noise-free renderer or lossy video, and show that it still is. A camera with equal images while
stationary is noise-free, and may stop within a frame.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState

# Sliding window, frames: 3 to 10 seconds.
WINDOW = 100
# Number (1/3 to 1 s) and share of equal images of a noise-free camera while stationary. A driver that publishes a 10 Hz
# camera at 60 Hz reaches five sixths.
_NOISE_FREE_IMAGES, _NOISE_FREE_SHARE = 10, 0.9
# Number of repeated right images for a warning: one without texture may be equal by chance.
_MIN_RIGHT_IMAGES = 2


class RepeatedImages:
    """Compares the images of each frame with those of the one before.

    Attributes:
        is_equal: the last image equals the one before.
        is_repeated: the last frame is a repetition, to ignore.
        is_right_repeated: its right image is a repetition but the left one is new, so they differ in time.
    """

    def __init__(self) -> None:
        """Start before the first frame."""
        self.is_equal = self.is_repeated = self.is_right_repeated = False
        self._last: Frame | None = None
        self._left: deque[bool] = deque(maxlen=WINDOW)
        self._right: deque[bool] = deque(maxlen=WINDOW)
        self._stationary = self._equal_stationary = 0

    def add(self, frame: Frame, state: TrackingState | None) -> None:
        """Add the next frame, and the tracking state of the last frame that was not a repetition."""
        last, self._last = self._last, frame
        if last is None:
            return
        self.is_equal = is_equal = equal(frame.image, last.image)
        if state is TrackingState.STATIONARY:
            self._stationary += 1
            self._equal_stationary += is_equal
        self.is_repeated = is_equal and state is TrackingState.TRACKING and not self._is_noise_free
        self._left.append(self.is_repeated)
        if frame.right is not None and last.right is not None:
            self.is_right_repeated = not is_equal and equal(frame.right, last.right) and bool(np.ptp(frame.right))
            self._right.append(self.is_right_repeated)

    @property
    def warnings(self) -> tuple[InputWarning, ...]:
        """Warnings on the images of the window."""
        found = []
        if count := sum(self._left):
            text = (
                f"{count} of the last {len(self._left)} images are bit-identical to the one before although the camera "
                "was moving: the driver repeats images; set its frame rate to that of the camera, and look at its log"
            )
            found.append(InputWarning(InputFault.REPEATED_IMAGE, text))
        if (count := sum(self._right)) >= _MIN_RIGHT_IMAGES:
            text = (
                f"{count} of the last {len(self._right)} right images are bit-identical to the one before although the "
                "left image changed: the driver repeats right images; look at its log and at the frame rate of both "
                "cameras"
            )
            found.append(InputWarning(InputFault.REPEATED_RIGHT_IMAGE, text))
        return tuple(found)

    @property
    def _is_noise_free(self) -> bool:
        return self._equal_stationary >= max(_NOISE_FREE_IMAGES, _NOISE_FREE_SHARE * self._stationary)


def equal(image: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    """Return whether two images are bit-identical."""
    middle = image.shape[0] // 2  # a row distinguishes most images in a microsecond
    is_alike = image.shape == other.shape and image[middle].tobytes() == other[middle].tobytes()
    return is_alike and np.array_equal(image, other)
