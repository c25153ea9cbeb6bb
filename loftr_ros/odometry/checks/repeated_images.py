"""Bit-identical images under a new stamp: a driver that repeats the last image, or a rendered camera that stands still.

The noise of a sensor makes any two of its images differ, and so does motion. Where the camera moved a frame ago, an
image equal to the last one was therefore not taken at its stamp: it says nothing, least of all that the camera stopped.
Where the camera stood still, equal images are what a noise-free renderer or a lossy video stream sends, and standing
still is what they mean. A noise-free camera that stood still before is recognized by that, and may stop within a frame.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState

# Row stride of the first comparison, which tells images apart in microseconds.
_STEP = 64
# Frames over which repeated images are counted: 3 to 10 seconds.
WINDOW = 100
# A camera at rest is noise-free if this number (1/3 to 1 s) and share of its images equal their predecessors. A
# driver that sends a camera of 10 Hz at 60 Hz reaches five sixths.
_NOISE_FREE_IMAGES, _NOISE_FREE_SHARE = 10, 0.9
# A right image may come out equal by chance where it shows nothing, so a single one is no evidence.
_ENOUGH_RIGHT = 2


class RepeatedImages:
    """Compares each frame with the one before.

    Attributes:
        is_equal: the last image is that of the frame before.
        is_repeated: the last frame is a repetition, to be ignored.
        is_right_repeated: its right image is, although the left one is new: the two are of different times.
    """

    def __init__(self) -> None:
        """Start before the first frame."""
        self.is_equal = self.is_repeated = self.is_right_repeated = False
        self._last: Frame | None = None
        self._left: deque[bool] = deque(maxlen=WINDOW)
        self._right: deque[bool] = deque(maxlen=WINDOW)
        self._at_rest = self._equal_at_rest = 0

    def add(self, frame: Frame, state: TrackingState | None) -> None:
        """Take the next frame, and the state of the odometry after the last one that was no repetition."""
        last, self._last = self._last, frame
        if last is None:
            return
        self.is_equal = is_equal = equal(frame.image, last.image)
        if state is TrackingState.STATIONARY:
            self._at_rest += 1
            self._equal_at_rest += is_equal
        self.is_repeated = is_equal and state is TrackingState.TRACKING and not self._is_noise_free
        self._left.append(self.is_repeated)
        if frame.right is not None and last.right is not None:
            self.is_right_repeated = not is_equal and equal(frame.right, last.right) and bool(np.ptp(frame.right))
            self._right.append(self.is_right_repeated)

    @property
    def warnings(self) -> tuple[InputWarning, ...]:
        """What was repeated of late."""
        found = []
        if count := sum(self._left):
            text = (
                f"{count} of the last {len(self._left)} images are bit-identical to the one before although the camera "
                "was moving: the driver repeats images; set its frame rate to that of the camera, and look at its log"
            )
            found.append(InputWarning(InputFault.REPEATED_IMAGE, text))
        if (count := sum(self._right)) >= _ENOUGH_RIGHT:
            text = (
                f"{count} of the last {len(self._right)} right images are bit-identical to the one before although the "
                "left image changed: the driver repeats right images; look at its log and at the frame rate of both "
                "cameras"
            )
            found.append(InputWarning(InputFault.REPEATED_RIGHT_IMAGE, text))
        return tuple(found)

    @property
    def _is_noise_free(self) -> bool:
        return self._equal_at_rest >= max(_NOISE_FREE_IMAGES, _NOISE_FREE_SHARE * self._at_rest)


def equal(image: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    """Return whether two images are bit-identical."""
    return np.array_equal(image[::_STEP], other[::_STEP]) and np.array_equal(image, other)
