"""What may be wrong with the input, by name, and the figure that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class InputFault(Enum):
    """A fault of the camera, its calibration or its driver that the images show."""

    INTERLACED = "interlaced images"
    BAYER = "Bayer mosaic"
    REPEATED_IMAGE = "repeated images"
    REPEATED_RIGHT_IMAGE = "repeated right images"
    REPEATED_DEPTH_IMAGE = "repeated depth images"
    FIXED_PATTERN = "fixed pattern"
    STEREO_SAME = "left and right image are the same"
    STEREO_SWAPPED = "left and right are swapped"
    STEREO_TIMES = "left and right image of different times"
    STEREO_MISALIGNED = "right image misaligned"
    STEREO_DISPARITY = "disparities off"
    STEREO_UNMATCHED = "left and right hardly match"
    DEPTH_UNIT = "depth unit"
    DEPTH_REGISTRATION = "depth registration"
    DEPTH_TIMES = "depth image of another time"
    FOCAL_LENGTH = "focal length"
    DISTORTION = "distortion"


@dataclass(frozen=True)
class InputWarning:
    """A fault that was measured.

    Attributes:
        fault: which one.
        text: one sentence without a full stop: the measured figure, the likely cause, and what to do about it.
    """

    fault: InputFault
    text: str
