"""Detects stationary matches in changing images: all matches are on a pattern that is fixed to the camera.

In a scene with little texture, all matches may be on the dots of an infrared projector or the robot's own body, so the
camera seems stationary. If it moves, image patches between the matches correlate with none of the earlier images. An
object that passes a stationary camera changes fewer patches, and they correlate again after it has passed.
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

# Size of the downsampled images, pixels, and their patches per side: large enough for texture, small enough to
# distinguish a passing person from a change of the whole image.
_SMALL, _PATCHES = (160, 120), 8
# Standard deviation of the gray levels above which a patch has texture: averaged noise of a dark image has 1.
_MIN_CONTRAST = 4.0
# Correlation below which a patch has changed, and share of changed patches above which the image has. Recorded
# stationary cameras have 0, and a person covers less; a camera that moves behind dots reaches 0.7 within a second.
_MIN_CORRELATION, _MAX_CHANGED_SHARE = 0.8, 0.5
# Lower bound of the number of patches with texture.
_MIN_PATCHES = 12
# Number of matches from which on a patch is excluded, if at least this share of patches remains: all matches may be on
# the body of the robot. A person covers less.
_MATCHED, _MIN_UNMATCHED_SHARE = 2, 0.6
# Interval of the reference images, seconds, their number (limited, because sunlight moves), and its lower bound.
_INTERVAL_S, _MAX_REFERENCES, _MIN_REFERENCES = 0.5, 6, 2
# Number of successive changed frames for a warning, to exclude flashes of light, and their interval, seconds, which
# bounds the cost of a fast camera; a tenth less for jitter.
_MIN_FRAMES, _FRAME_INTERVAL_S = 3, 0.09


class StationaryMatches:
    """Compares the image of a stationary camera with earlier ones since it stopped."""

    def __init__(self) -> None:
        """Start in motion."""
        self._earlier: deque[_Patches] = deque(maxlen=_MAX_REFERENCES + 1)
        self._stamp_ns = self._checked_ns = 0
        self._changed, self._in_row = 0.0, 0

    def add_motion(self) -> None:
        """Drop the reference images: the camera moves."""
        self._earlier.clear()
        self._changed, self._in_row = 0.0, 0

    def add_stationary(self, frame: Frame, matches: Matches) -> None:
        """Compare a frame without image motion, and its matches, with the reference images."""
        if self._earlier and frame.stamp_ns - self._checked_ns < 1e9 * _FRAME_INTERVAL_S:
            return
        self._checked_ns = frame.stamp_ns
        patches = _Patches.of(np.asarray(cv2.resize(frame.image, _SMALL, interpolation=cv2.INTER_AREA), np.uint8))
        if not self._earlier or frame.stamp_ns - self._stamp_ns >= 1e9 * _INTERVAL_S:
            self._earlier.append(patches)
            self._stamp_ns = frame.stamp_ns
        if len(self._earlier) > _MIN_REFERENCES:
            references = list(self._earlier)[:-1]  # without the last one, which may be this image
            self._changed = _changed_share(patches, references, _unmatched(matches, frame))
            self._in_row = self._in_row + 1 if self._changed > _MAX_CHANGED_SHARE else 0

    @property
    def warning(self) -> InputWarning | None:
        """The warning after several successive changed images; None without a fault."""
        if self._in_row < _MIN_FRAMES:
            return None
        text = (
            f"no match moves although {100 * self._changed:.0f} % of the image changes: the matches are on the "
            "dots of an infrared projector, dirt on the lens, an overlay or the robot's own body; switch the projector "
            "off, clean the lens, or give a mask image"
        )
        return InputWarning(InputFault.FIXED_PATTERN, text)


@dataclass(frozen=True)
class _Patches:
    """Patches of a downsampled gray image.

    Attributes:
        normalized: (patches, pixels) of zero mean and unit variance.
        contrast: (patches,) standard deviations of the gray levels.
    """

    normalized: NDArray[np.float32]
    contrast: NDArray[np.float32]

    @staticmethod
    def of(image: NDArray[np.uint8]) -> _Patches:
        height, width = image.shape[0] // _PATCHES, image.shape[1] // _PATCHES
        blocks = image[: _PATCHES * height, : _PATCHES * width].reshape(_PATCHES, height, _PATCHES, width)
        patches = blocks.swapaxes(1, 2).reshape(_PATCHES**2, -1).astype(np.float32)
        patches -= patches.mean(axis=1, keepdims=True)
        contrast = np.asarray(np.sqrt(_mean_products(patches, patches)), np.float32)
        patches /= np.maximum(contrast, 1e-3)[:, None]
        return _Patches(patches, contrast)


def _unmatched(matches: Matches, frame: Frame) -> NDArray[np.bool_]:
    """Return a (patches,) mask of those without matches, or of all if these are too few."""
    column, row = (_PATCHES * matches.points_b / (frame.camera.width, frame.camera.height)).astype(int).T
    patch = _PATCHES * np.clip(row, 0, _PATCHES - 1) + np.clip(column, 0, _PATCHES - 1)
    unmatched = np.bincount(patch, minlength=_PATCHES**2) < _MATCHED
    return unmatched if unmatched.mean() >= _MIN_UNMATCHED_SHARE else np.ones_like(unmatched)


def _changed_share(now: _Patches, earlier: list[_Patches], selected: NDArray[np.bool_]) -> float:
    """Return the share of textured patches that correlate with the same patch of no earlier image."""
    textured = selected & (np.min([patches.contrast for patches in (now, *earlier)], axis=0) > _MIN_CONTRAST)
    if textured.sum() < _MIN_PATCHES:
        return 0.0
    correlations = [_mean_products(now.normalized, patches.normalized) for patches in earlier]
    return float((np.max(correlations, axis=0)[textured] < _MIN_CORRELATION).mean())


def _mean_products(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """(patches,) means of the products of two (patches, pixels) images, without a copy of them."""
    return np.asarray(np.einsum("ij,ij->i", a, b), np.float32) / np.float32(a.shape[1])
