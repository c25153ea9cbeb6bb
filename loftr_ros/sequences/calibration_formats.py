"""Calibration files of other programs: messages of ROS are converted, other formats are refused with the fix."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from loftr_ros.errors import shortened
from loftr_ros.sequences.errors import SequenceError

# A whole calibration file, for messages: it can be copied.
EXAMPLE = (
    "{image_width: 640, image_height: 480, camera_matrix: [fx, 0, cx, 0, fy, cy, 0, 0, 1], "
    "distortion_model: plumb_bob, distortion_coefficients: [k1, k2, p1, p2, k3]}"
)
_WRITE = f"write its numbers into a file as camera_calibration writes it, in YAML: {EXAMPLE}"
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
# One field, or the start of one, that shows a format, and its name.
_FORMATS = (
    (r"Camera1?\..*", "is a settings file of ORB-SLAM"),
    (r"model_type|projection_parameters", "is of camodocal, as VINS uses it"),
    (r"cameras", "is a rig of several cameras, as of SVO or COLMAP"),
    (r"fl_x|camera_angle_x|transform_matrix", "is of a neural radiance field (transforms.json)"),
    (r"ppx|principal_point|focal_length|fx", "lists single intrinsics"),
    (r"intrinsics|resolution", "lists intrinsics as EuRoC and Kalibr do"),
    (r"M1|M2|K|D|K1|D1|cameraMatrix|mtx|dist|dist_coeffs?", "has names of OpenCV examples"),
)
# Names of calibrations that are not read, if the one that is read is missing.
_OTHER_FILES = re.compile(
    r"(cameras|calib.*|intrinsics?.*|K|ost)\.txt|.*(calib|camera|intrinsic|ost).*\.(json|xml|npz|npy|pkl|toml|ini|txt)"
    r"|SN[0-9]+\.conf|transforms.*\.json|.*\.ya?ml",
    re.IGNORECASE,
)


def as_camera_calibration(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a calibration by their names in files of camera_calibration.

    A printed message of sensor_msgs/CameraInfo is converted, as `ros2 topic echo --once` prints it.

    Raises:
        SequenceError: the file has another format, or a region of interest or binning.
    """
    content = _from_message(content)
    _reject_other_formats(path, content)
    _reject_regions(path, content)
    return content


def file_hint(path: Path) -> str:
    """Return what to do about a missing calibration: a clause that names another calibration beside it, if any."""
    try:
        beside = sorted(child.name for child in path.parent.iterdir() if _OTHER_FILES.fullmatch(child.name))
    except OSError:
        beside = []
    if not beside:
        return f"put the calibration there as camera_calibration writes it, in YAML: {EXAMPLE}"
    return f"{shortened(beside[0], 60)} is there, but {path.name} is what is read: {_WRITE}"


def _from_message(content: dict[str, Any]) -> dict[str, Any]:
    lower = {name.lower(): value for name, value in content.items() if isinstance(name, str)}
    if "camera_matrix" in content or not {"width", "height", "k", "distortion_model"} <= set(lower):
        return content
    converted = {_MESSAGE_FIELDS.get(name, name): value for name, value in lower.items()}
    for name in _OPTIONAL:
        if isinstance(converted.get(name), list) and not any(converted[name]):
            del converted[name]
    return converted


def _reject_other_formats(path: Path, content: dict[str, Any]) -> None:
    """Raise SequenceError for a known format of another program."""
    if isinstance(content.get("cam0"), dict):
        raise SequenceError(
            f"{path} is a camchain of Kalibr; write for each camera a file as camera_calibration does: resolution as "
            "image_width and image_height, intrinsics (fu, fv, pu, pv) as camera_matrix, distortion_coeffs as "
            f"distortion_coefficients, radtan or equidistant as distortion_model (omni, eucm, ds are not supported), "
            f"in YAML: {EXAMPLE}."
        )
    names = [name for name in content if isinstance(name, str)]
    for pattern, what in _FORMATS[: 1 if "camera_matrix" in content else None]:
        if any(re.fullmatch(pattern, name) for name in names):
            raise SequenceError(f"{path} {what}; {_WRITE}.")


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
