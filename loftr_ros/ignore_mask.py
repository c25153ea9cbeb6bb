"""Ignore mask: an image file that excludes regions from matching, such as the robot's own body."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.encoded_image import DecodeError, decode
from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.loftr.runtime.matcher import Features, LoftrMatcher
from loftr_ros.matches import Matches
from loftr_ros.validation import refuse_pipe


class MaskError(LoftrRosError):
    """The mask cannot be read, or its size differs from that of the images."""


class MaskedMatcher:
    """A matcher that ignores the masked region of every image.

    Attributes:
        checkpoint, device: see `LoftrMatcher`.
    """

    def __init__(self, matcher: LoftrMatcher, path: Path) -> None:
        """Read the mask image, black in ignored regions. Raises MaskError."""
        self.checkpoint, self.device = matcher.checkpoint, matcher.device
        self._matcher = matcher
        self._path = path
        self._mask = self._drawn = _read(path)

    @property
    def budget(self) -> ComputeBudget:
        """See `LoftrMatcher`."""
        return self._matcher.budget

    @budget.setter
    def budget(self, budget: ComputeBudget) -> None:
        self._matcher.budget = budget

    @property
    def precision(self) -> str:
        """See `LoftrMatcher`."""
        return self._matcher.precision

    @property
    def fallback(self) -> str | None:
        """See `LoftrMatcher`."""
        return self._matcher.fallback

    def warm_up(self, height: int, width: int) -> float:
        """See `LoftrMatcher.warm_up`; the size of the mask is checked with the first image."""
        return self._matcher.warm_up(height, width, self._mask if self._mask.shape == (height, width) else None)

    def extract(self, image: NDArray[np.uint8]) -> Features:
        """Compute the features of an (H, W) gray image. Raises MaskError for a mask of another size."""
        if image.shape != self._mask.shape:
            self._mask = _downscaled(self._drawn, image.shape) if _is_downscaled(image, self._drawn) else self._drawn
        if image.shape != self._mask.shape:
            raise MaskError(
                f"mask_image {self._path} is {_size(self._mask)} but the images are {_size(image)}: draw it on one of "
                "the images"
            )
        return self._matcher.extract(image, self._mask)

    def match(self, features_a: Features, features_b: Features) -> Matches:
        """Match two images by their features, outside the masked regions."""
        return self._matcher.match(features_a, features_b)


def _read(path: Path) -> NDArray[np.uint8]:
    # Read by Python, for a specific error message, and decoded from memory.
    try:
        refuse_pipe(path)
        mask = decode(path.read_bytes(), cv2.IMREAD_GRAYSCALE)
    except OSError as error:
        raise MaskError(f"mask_image {path} cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise MaskError(f"mask_image {path} is not an image, {error}: save it as PNG") from error
    if not mask.any():
        raise MaskError(f"mask_image {path} is all black, which ignores everything: paint the region to match white")
    return np.asarray(mask, np.uint8)


def _is_downscaled(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> bool:
    """Return whether an image is a smaller copy of one with the size of the mask, as large images are processed."""
    (height, width), (mask_height, mask_width) = image.shape, mask.shape
    return height < mask_height and abs(width - mask_width * height / mask_height) <= 1


def _downscaled(mask: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the mask at another size; a pixel is ignored if any part of it is."""
    ignored = np.where(mask == 0, np.float32(1), np.float32(0))
    return np.where(cv2.resize(ignored, shape[::-1], interpolation=cv2.INTER_AREA) > 0, 0, 255).astype(np.uint8)


def _size(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
