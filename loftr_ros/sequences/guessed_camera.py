"""A camera without calibration: guessed from a field of view, or from the focal length in the EXIF of an image.

Only by an explicit option, as the guess decides the angles and the shape of the trajectory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import atan, degrees, hypot, radians, tan
from pathlib import Path
from typing import Any, Literal

import numpy as np

from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.images import RecordedImage, StoredImage, read_gray

EXIF: Literal["exif"] = "exif"
# Degrees of the horizontal field of view, or EXIF.
FieldOfView = float | Literal["exif"]
USUAL = "a phone has about 65, a webcam 60 to 80, an action camera 90 to 120"

_EXIF_IFD, _WIDTH, _FOCAL_MM, _FOCAL_35MM, _RESOLUTION, _UNIT = 0x8769, 0xA002, 0x920A, 0xA405, 0xA20E, 0xA210
_DIAGONAL_35MM = hypot(36, 24)  # the 35 mm equivalent has the same diagonal angle (CIPA DCG-001)
_MM = {2: 25.4, 3: 10.0}  # units of the resolution of the sensor: inch, centimeter


@dataclass(frozen=True)
class GuessedCamera:
    """A camera, and what it was guessed from, for the user."""

    camera: Camera
    origin: str

    @property
    def note(self) -> str:
        """A note with the numbers."""
        return (
            f"{self.origin}: taking {self.camera.K[0, 0]:.4g} px, the center of the image, and no distortion; angles, "
            "and so the shape of the trajectory, are wrong by as much: calibrate for figures to rely on"
        )


def guess_camera(fov: FieldOfView, images: Iterable[StoredImage]) -> GuessedCamera:
    """Guess the camera of images.

    Args:
        fov: horizontal field of view in degrees, or EXIF.
        images: of the camera; the first is read.

    Raises:
        SequenceError: there are no images, or no focal length in the EXIF of the first.
    """
    image = next(iter(images), None)
    if image is None:
        raise SequenceError("There are no images to guess the calibration of.")
    height, width = read_gray(image).shape
    if fov == EXIF:
        focal = _exif_focal(image, width, height)
        angle = 2 * degrees(atan(width / 2 / focal))
        origin = (
            f"calibration guessed from the focal length in the EXIF of {image.name}, a field of view of {angle:.4g}°"
        )
    else:
        focal = width / 2 / tan(radians(fov) / 2)
        origin = f"calibration guessed from a field of view of {fov:g}°"
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return GuessedCamera(Camera(width, height, K), origin)


def calibration_exists(path: Path, calibration: str) -> SequenceError:
    """Return the error of a guess where there is a calibration."""
    return SequenceError(f"{path} has a calibration, {calibration}, so none is guessed: remove --fov.")


def _exif_focal(image: StoredImage, width: int, height: int) -> float:
    """Return the focal length in pixels. Raises SequenceError."""
    if isinstance(image, RecordedImage):
        raise SequenceError(f"{image.parent} has no EXIF: give the field of view, --fov DEGREES ({USUAL}).")
    tags = _tags(image)
    if focal_35mm := _positive(tags.get(_FOCAL_35MM)):
        return focal_35mm * hypot(width, height) / _DIAGONAL_35MM
    focal_mm, resolution = _positive(tags.get(_FOCAL_MM)), _positive(tags.get(_RESOLUTION))
    unit, stored_width = _MM.get(tags.get(_UNIT, 2)), _positive(tags.get(_WIDTH))
    if not (focal_mm and resolution and unit and stored_width):
        raise SequenceError(
            f"{image} has no focal length in its EXIF from which the calibration follows: give the field of view, "
            f"--fov DEGREES ({USUAL})."
        )
    return focal_mm * resolution / unit * width / stored_width


def _tags(path: Path) -> dict[int, Any]:
    from PIL import Image, UnidentifiedImageError  # deferred: only this option needs it

    try:
        with Image.open(path) as image:
            return dict(image.getexif().get_ifd(_EXIF_IFD))
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        return {}


def _positive(value: Any) -> float:
    """Return a number above 0, else 0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return number if 0 < number < float("inf") else 0.0
