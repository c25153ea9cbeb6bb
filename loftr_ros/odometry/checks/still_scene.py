"""A camera that stands still by all matches, in images that change all over: the matches are fixed to the camera.

Where the scene has little texture, the dots of an infrared projector or the robot's own body are all that matches, and
they never move. But what lies between them does: parts of the image correlate with none of what they were before. Where
something passes by a camera that does stand still, its parts do again as soon as it is gone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.images.frame import Frame

# Size of the copies that are compared, and their parts: large enough for a texture, small enough to tell a person that
# walks through from a change all over.
_SMALL, _PARTS = (160, 120), 8
# Least standard deviation of the gray values in a part that is compared: noise of a dark image, averaged, has 1.
_LEAST_CONTRAST = 4.0
# A part below this correlation has changed, and so has the image if this share of its parts has. Recorded standing
# cameras stay at 0, and a person covers less; a camera that moves behind dots comes to 0.7 within a second.
_LEAST_CORRELATION, _CHANGED = 0.8, 0.5
# Least number of parts with contrast.
_LEAST_PARTS = 12
# Parts with this number of matches are left out if matches cover less than this share of the image: the body of the
# robot may be all that matches. A person covers less.
_MATCHED, _UNMATCHED_SHARE = 2, 0.6
# Interval of the reference images, seconds, their number (short, because sunlight moves), and the least number.
_INTERVAL_S, _KEPT, _LEAST_KEPT = 0.5, 6, 2
# Least number of frames in a row: not a flash of light.
_FRAMES = 3


class StillScene:
    """Compares the image of a standing camera with those since it stopped."""

    def __init__(self) -> None:
        """Start in motion."""
        self._earlier: deque[_Parts] = deque(maxlen=_KEPT + 1)
        self._stamp_ns = 0
        self._changed, self._in_row = 0.0, 0

    def add_motion(self) -> None:
        """Take that the camera moves."""
        self._earlier.clear()
        self._changed, self._in_row = 0.0, 0

    def add_still(self, frame: Frame, matches: Matches) -> None:
        """Take a frame in which no match moved, and its matches."""
        parts = _Parts.of(np.asarray(cv2.resize(frame.image, _SMALL, interpolation=cv2.INTER_AREA), np.uint8))
        if not self._earlier or frame.stamp_ns - self._stamp_ns >= 1e9 * _INTERVAL_S:
            self._earlier.append(parts)
            self._stamp_ns = frame.stamp_ns
        if len(self._earlier) > _LEAST_KEPT:
            asked = _unmatched(matches, frame)
            self._changed = _changed_share(parts, list(self._earlier)[:-1], asked)  # the last one may be this image
            self._in_row = self._in_row + 1 if self._changed > _CHANGED else 0

    @property
    def warning(self) -> InputWarning | None:
        """The change of the images that the matches do not see."""
        if self._in_row < _FRAMES:
            return None
        text = (
            f"no match moves although {100 * self._changed:.0f} % of the image changes: the matches are on the "
            "dots of an infrared projector, dirt on the lens, an overlay or the robot's own body; switch the projector "
            "off, clean the lens, or give a mask image"
        )
        return InputWarning(InputFault.FIXED_PATTERN, text)


@dataclass(frozen=True)
class _Parts:
    """A small gray image in parts.

    Attributes:
        normalized: (parts, pixels) of zero mean and unit variance.
        contrast: (parts,) standard deviations of the gray values.
    """

    normalized: NDArray[np.float32]
    contrast: NDArray[np.float32]

    @staticmethod
    def of(image: NDArray[np.uint8]) -> _Parts:
        height, width = image.shape[0] // _PARTS, image.shape[1] // _PARTS
        blocks = image[: _PARTS * height, : _PARTS * width].reshape(_PARTS, height, _PARTS, width).swapaxes(1, 2)
        parts = blocks.reshape(_PARTS**2, -1).astype(np.float32)
        parts -= parts.mean(axis=1, keepdims=True)
        contrast = parts.std(axis=1)
        return _Parts(parts / np.maximum(contrast, 1e-3)[:, None], contrast)


def _unmatched(matches: Matches, frame: Frame) -> NDArray[np.bool_]:
    """Return (parts,) which are asked: those without matches, or all if these are too few."""
    column, row = (_PARTS * matches.points_b / (frame.camera.width, frame.camera.height)).astype(int).T
    part = _PARTS * np.clip(row, 0, _PARTS - 1) + np.clip(column, 0, _PARTS - 1)
    unmatched = np.bincount(part, minlength=_PARTS**2) < _MATCHED
    return unmatched if unmatched.mean() >= _UNMATCHED_SHARE else np.ones_like(unmatched)


def _changed_share(now: _Parts, earlier: list[_Parts], asked: NDArray[np.bool_]) -> float:
    """Return the share of the textured parts of an image that correlate with the same part of no earlier one."""
    textured = asked & (np.min([parts.contrast for parts in (now, *earlier)], axis=0) > _LEAST_CONTRAST)
    if textured.sum() < _LEAST_PARTS:
        return 0.0
    correlations = [(now.normalized * parts.normalized).mean(axis=1) for parts in earlier]
    return float((np.max(correlations, axis=0)[textured] < _LEAST_CORRELATION).mean())
