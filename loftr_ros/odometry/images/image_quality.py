"""What is wrong with an image before anything is matched in it: black, white, blurred, empty.

Looks at a small copy of the image, for a fraction of a millisecond. The limits are wide: LoFTR matches images that
look bad, so a fault explains why a frame was lost, and is no reason to refuse it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.images.structure_tensor import halved
from loftr_ros.odometry.states import LostReason

# Size of the small copy, roughly.
_SMALL_PIXELS = 160 * 120
# Grey values that count as black and white, and the shares of the image that are too much of them.
_BLACK, _WHITE, _TOO_DARK, _TOO_BRIGHT = 16, 250, 0.9, 0.5
# An image whose grey values differ by less than this, standard deviation, shows nothing but noise.
_LEAST_CONTRAST = 2.0
# Blur leaves less than this share of a sharp image's gradients; a change of view in video leaves more.
_BLURRED = 0.55


@dataclass(frozen=True)
class ImageQuality:
    """Figures of one image.

    Attributes:
        dark, bright: shares of its pixels that are black and white.
        contrast: standard deviation of its grey values.
        sharpness: (2,) mean gradient along x and y, as a share of the contrast: the light does not matter to it.
    """

    dark: float
    bright: float
    contrast: float
    sharpness: Array

    @staticmethod
    def of(image: NDArray[np.uint8]) -> ImageQuality:
        """Measure an (H, W) grey image."""
        small = _small(image)
        shares = cv2.calcHist([small], [0], None, [256], [0, 256]).ravel() / small.size
        contrast = float(cv2.meanStdDev(small)[1].item())
        gradients = [cv2.norm(a, b, cv2.NORM_L1) for a, b in ((small[:, 1:], small[:, :-1]), (small[1:], small[:-1]))]
        sharpness = np.array(gradients) / (small.size * max(contrast, 1e-3))
        return ImageQuality(float(shares[:_BLACK].sum()), float(shares[_WHITE:].sum()), contrast, sharpness)

    @property
    def hopeless(self) -> bool:
        """Whether there is nothing to match in the image."""
        return self.contrast < _LEAST_CONTRAST

    def fault(self, reference: ImageQuality | None) -> LostReason | None:
        """Name what is wrong with the image; None if it is fit to use.

        Args:
            reference: of an image of about the same view, against which blur shows; None if there is none.
        """
        if self.dark > _TOO_DARK:
            return LostReason.DARK
        if self.bright > _TOO_BRIGHT:
            return LostReason.OVEREXPOSED
        if self.hopeless:
            return LostReason.NO_TEXTURE
        if reference is not None and (self.sharpness < _BLURRED * reference.sharpness).any():
            return LostReason.BLURRED
        return None


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Halve it again and again, which is the fast way."""
    while image.size > 2 * _SMALL_PIXELS:
        image = np.asarray(halved(image), np.uint8)
    return image
