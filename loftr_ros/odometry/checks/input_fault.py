"""What may be wrong with the input, by name, and the figure that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class InputFault(Enum):
    """A fault of the camera, its calibration or its driver that the images show."""

    DEPTH_UNIT = "depth unit"
    DEPTH_REGISTRATION = "depth registration"
    FROZEN_DEPTH = "frozen depth"
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
