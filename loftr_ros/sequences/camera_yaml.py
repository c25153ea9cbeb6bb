"""Calibration files of ROS: the YAML format of camera_calibration and camera_info_manager."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import shortened
from loftr_ros.odometry.geometry.camera import (
    DISTORTION_COEFFICIENTS,
    Camera,
    CameraError,
    check_common_focal_length,
    stereo_baseline,
)
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.unsupported_formats import EXAMPLE, file_hint, reject_other_calibrations
from loftr_ros.validation import refuse_pipe

_OPENCV_HEADER = re.compile(r"^%YAML:1\.0", re.MULTILINE)  # not valid YAML
# Numbers of coefficients that only the pinhole models of OpenCV have; 4 may be of a fisheye lens.
_PINHOLE_COUNTS = {5, *DISTORTION_COEFFICIENTS["rational_polynomial"]}

# Fields of sensor_msgs/CameraInfo, in ROS 1 in capitals, and of files of camera_calibration.
_MESSAGE_FIELDS = {
    "width": "image_width",
    "height": "image_height",
    "k": "camera_matrix",
    "d": "distortion_coefficients",
    "r": "rectification_matrix",
    "p": "projection_matrix",
}
_OPTIONAL = ("rectification_matrix", "projection_matrix")  # all zeros in messages of cameras without calibration


@dataclass(frozen=True)
class Calibration:
    """Calibration of one camera, as in sensor_msgs/CameraInfo.

    Attributes:
        raw: camera of the raw images (K and D).
        R: (3, 3) rotation from the camera to its rectified frame.
        P: (3, 4) projection matrix of the rectified image, pixels; P[0, 3] = -fx * baseline for a right camera.
    """

    raw: Camera
    R: NDArray[np.float64]
    P: NDArray[np.float64]

    def rig(self, right: Calibration) -> StereoRig:
        """Return the stereo rig of the raw images of this (left) camera and `right`.

        Raises:
            CameraError: the projection matrix of `right` has no baseline, or another focal length than that of this.
        """
        left_P, right_P = self.P.ravel().tolist(), right.P.ravel().tolist()
        check_common_focal_length((self.raw.K[0, 0], right.raw.K[0, 0]), left_P, right_P)
        baseline = stereo_baseline(left_P, right_P)
        return StereoRig.from_rectification(right.raw, self.R, right.R, baseline)


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file.

    Raises:
        SequenceError: the file is missing or is not YAML, a field is missing, or the camera is not valid.
    """
    content = _from_message(read_yaml(path))
    reject_other_calibrations(path, content)
    _reject_regions(path, content)
    try:
        K = _field(content, "camera_matrix", numbers)
        raw = Camera.from_camera_info(
            _field(content, "image_width", whole),
            _field(content, "image_height", whole),
            k=K,
            d=_field(content, "distortion_coefficients", numbers),
            distortion_model=_distortion_model(content),
            p=[],
            rectified=False,
        )
        R = np.reshape(numbers(content.get("rectification_matrix", np.eye(3))), (3, 3))
        P = np.reshape(numbers(content.get("projection_matrix", np.c_[raw.K, np.zeros(3)])), (3, 4))
    except KeyError as error:
        raise SequenceError(
            f"{path} has no {error.args[0]}; it must be a calibration as camera_calibration writes it, in YAML: "
            f"{EXAMPLE}."
        ) from error
    except (CameraError, TypeError, ValueError, OverflowError) as error:
        raise SequenceError(f"{path} is no usable calibration: {shortened(error, 400).rstrip('.')}.") from error
    return Calibration(raw, R, P)


def _from_message(content: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a printed message of sensor_msgs/CameraInfo by their names in calibration files."""
    lower = {name.lower(): value for name, value in content.items() if isinstance(name, str)}
    if "camera_matrix" in content or not {"width", "height", "k", "distortion_model"} <= set(lower):
        return content
    converted = {_MESSAGE_FIELDS.get(name, name): value for name, value in lower.items()}
    for name in _OPTIONAL:
        if isinstance(converted.get(name), list) and not any(converted[name]):
            del converted[name]
    return converted


def _reject_regions(path: Path, content: dict[str, Any]) -> None:
    """Raise SequenceError for a region of interest or binning."""
    roi = content.get("roi")
    if isinstance(roi, dict) and any(roi.values()):
        raise SequenceError(
            f"{path} has a region of interest (roi), which is not supported in files: subtract x_offset and y_offset "
            "from cx and cy, set image_width and image_height to those of the images, and remove roi."
        )
    if any(content.get(name) not in (None, 0, 1) for name in ("binning_x", "binning_y")):
        raise SequenceError(
            f"{path} has binning_x or binning_y, which are not supported in files: divide image_width, fx and cx by "
            "binning_x, image_height, fy and cy by binning_y, and remove both."
        )


def _field(content: dict[str, Any], name: str, convert: Callable[[Any], Any]) -> Any:
    """Return a converted field. Raises KeyError if it is missing, and ValueError that names it if it is not valid."""
    try:
        return convert(content[name])
    except KeyError as error:
        if error.args[0] == name:
            raise
        raise ValueError(f"{name} has no {error.args[0]}: write its numbers as a list, row by row") from error
    except (TypeError, ValueError, OverflowError) as error:
        value = shortened(content[name], 80)
        wanted = "a whole number of pixels" if convert is whole else "a list of numbers with decimal points, row by row"
        raise ValueError(f"{name} is '{value}', but must be {wanted} ({shortened(error, 120)})") from error


def _distortion_model(content: dict[str, Any]) -> str:
    """Return the distortion model by name, else from OpenCV's flag `fisheye_model` or the number of coefficients.

    Raises:
        KeyError: none of them tells the model.
    """
    if "distortion_model" not in content and "fisheye_model" in content:
        return "equidistant" if int(content["fisheye_model"]) else "plumb_bob"
    if "distortion_model" not in content and len(numbers(content["distortion_coefficients"])) in _PINHOLE_COUNTS:
        return "plumb_bob"
    return str(content["distortion_model"])


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the fields of a YAML file, also as OpenCV writes it. Raises SequenceError."""
    from loftr_ros import plain_yaml  # deferred: only layouts with YAML files need PyYAML

    text = ""
    try:
        refuse_pipe(path)
        text = path.read_text(encoding="utf-8-sig")
        content = plain_yaml.load(_OPENCV_HEADER.sub("", text))
    except OSError as error:
        raise SequenceError(f"{path} cannot be read ({error.strerror}): {file_hint(path)}.") from error
    except plain_yaml.ERRORS as error:
        reason = shortened(error) or type(error).__name__
        raise SequenceError(f"{path} is no valid YAML: {reason}{_yaml_fix(text)}.") from error
    if not isinstance(content, dict):
        raise SequenceError(f"{path} is no calibration: it holds no fields.")
    return content


def _yaml_fix(text: str) -> str:
    """Return a clause on the usual reasons why a text is no valid YAML; empty if it has none of them."""
    if "\t" in text:
        return "; indent with spaces, not tabs"
    return "; write plain numbers, not objects of Python" if "!!python" in text else ""


def numbers(matrix: Any) -> list[float]:
    """Return the elements of a matrix, row by row, from {rows, cols, data} or (nested) lists."""
    data = matrix["data"] if isinstance(matrix, dict) else matrix
    flat: list[float] = np.asarray(data, np.float64).ravel().tolist()
    return flat


def whole(value: Any) -> int:
    """Return a whole number, also from a text. Raises TypeError, ValueError or OverflowError for anything else."""
    number = int(value)
    if isinstance(value, bool) or (isinstance(value, float) and value != number):
        raise ValueError(f"{value} is no whole number")
    return number
