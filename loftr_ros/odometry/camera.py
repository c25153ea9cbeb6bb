"""The camera model: pixels to rays and back, for the distortion models of sensor_msgs/CameraInfo."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import LoftrRosError

# Number of coefficients OpenCV expects by model; "none" is a rectified pinhole image.
DISTORTION_COEFFICIENTS = {"none": (0,), "plumb_bob": (4, 5), "rational_polynomial": (8,), "equidistant": (4,)}


class CameraError(LoftrRosError):
    """A calibration that cannot be used; the message names the field and the fix."""


@dataclass(frozen=True)
class Camera:
    """Intrinsics of one camera, and the baseline to the right one of a rectified pair.

    Attributes:
        width, height: image size in pixels.
        K: (3, 3) float64 camera matrix, pixels.
        distortion_model: "none", "plumb_bob", "rational_polynomial" or "equidistant" (REP-104 names).
        distortion: coefficients in OpenCV order; empty for "none".
        baseline: metres from the left to the right camera along +x of the left one, or None without a right camera.
    """

    width: int
    height: int
    K: NDArray[np.float64]
    distortion_model: str = "none"
    distortion: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    baseline: float | None = None
