"""Faults of an image before matching: dark, overexposed, without texture, blurred.

Measured on a small copy in a fraction of a millisecond. LoFTR matches many degraded images, so the limits are wide
(nearly all of the image black, most of it white), and a fault explains the loss of a frame but does not reject it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry.robust import MAJORITY, NEARLY_ALL
from loftr_ros.odometry.images.structure_tensor import GRAY_NOISE, halved
from loftr_ros.odometry.states import LostReason

# Size of the small copy, within a factor of two.
# numerical: bounds the run time.
_SMALL_PIXELS = 160 * 120
# Gray levels below this count as black.
# derived: black of video (ITU-R BT.601).
_BLACK = 16
# Gray levels from this on count as white.
# assumed: saturated pixels are a little below 255 after compression.
_WHITE = 250
# Standard deviation of the gray levels below which an image is noise.
_MIN_CONTRAST = GRAY_NOISE
# Share of the gradients of a sharp image below which an image is blurred.
# assumed: a change of view in video leaves more.
_BLURRED = 0.55


@dataclass(frozen=True)
class ImageQuality:
    """Exposure, contrast and sharpness of one image.

    Attributes:
        dark, bright: shares of its pixels that are black and white.
        contrast: standard deviation of its gray levels.
        sharpness: (2,) mean absolute gradient along x and y, divided by the contrast, so invariant to the light.
    """

    dark: float
    bright: float
    contrast: float
    sharpness: Array

    @staticmethod
    def of(image: NDArray[np.uint8]) -> ImageQuality:
        """Measure an (H, W) gray image."""
        small = _small(image)
        shares = cv2.calcHist([small], [0], None, [256], [0, 256]).ravel() / small.size
        contrast = float(cv2.meanStdDev(small)[1].item())
        gradients = [cv2.norm(a, b, cv2.NORM_L1) for a, b in ((small[:, 1:], small[:, :-1]), (small[1:], small[:-1]))]
        sharpness = np.array(gradients) / (small.size * max(contrast, 1e-3))
        return ImageQuality(
            dark=float(shares[:_BLACK].sum()),
            bright=float(shares[_WHITE:].sum()),
            contrast=contrast,
            sharpness=sharpness,
        )

    @property
    def is_unusable(self) -> bool:
        """Whether the image has no texture, so there is nothing to match."""
        return self.contrast < _MIN_CONTRAST

    def fault(self, reference: ImageQuality | None) -> LostReason | None:
        """Return the fault of the image; None if it has none.

        Args:
            reference: of an image of about the same view, to compare the sharpness; None: blur is not checked.
        """
        if self.dark > NEARLY_ALL:
            return LostReason.DARK
        if self.bright > MAJORITY:
            return LostReason.OVEREXPOSED
        if self.is_unusable:
            return LostReason.NO_TEXTURE
        if reference is not None and (self.sharpness < _BLURRED * reference.sharpness).any():
            return LostReason.BLURRED
        return None


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Downsample by repeated halving, which is the fastest."""
    while image.size > 2 * _SMALL_PIXELS:
        image = np.asarray(halved(image), np.uint8)
    return image
