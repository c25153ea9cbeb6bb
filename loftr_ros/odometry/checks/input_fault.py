"""Faults of the input, and warnings with measured values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class InputFault(Enum):
    """Detectable fault of camera, calibration or driver."""

    INTERLACED = "interlaced images"
    BAYER = "Bayer mosaic"
    BLACK_BARS = "black bars"
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
    DEPTH_CLIPPED = "clipped depth"
    DEPTH_REGISTRATION = "depth registration"
    DEPTH_SCALE = "changing depth scale"
    DEPTH_OFFSET = "depth offset"
    DEPTH_TIMES = "depth image of another time"
    MOVING_OBJECT = "moving object"
    FOCAL_LENGTH = "focal length"
    PRINCIPAL_POINT = "principal point"
    DISTORTION = "distortion"


@dataclass(frozen=True)
class InputWarning:
    """Warning of a detected fault.

    Attributes:
        fault: the fault.
        text: one sentence without a full stop: measured value, likely cause, and fix.
    """

    fault: InputFault
    text: str
