"""Calibration files of ROS: the YAML format of camera_calibration and camera_info_manager."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import shortened
from loftr_ros.odometry.geometry.camera import Camera, CameraError, stereo_baseline
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.sequences.errors import SequenceError

_OPENCV_HEADER = re.compile(r"^%YAML:1\.0", re.MULTILINE)  # not valid YAML


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
            CameraError: the projection matrix of `right` has no baseline.
        """
        baseline = stereo_baseline(self.P.ravel().tolist(), right.P.ravel().tolist())
        return StereoRig.from_rectification(right.raw, self.R, right.R, baseline)


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file.

    Raises:
        SequenceError: the file is missing or is not YAML, a field is missing, or the camera is not valid.
    """
    content = read_yaml(path)
    _reject_other_formats(path, content)
    try:
        K = numbers(content["camera_matrix"])
        raw = Camera.from_camera_info(
            int(content["image_width"]),
            int(content["image_height"]),
            k=K,
            d=numbers(content["distortion_coefficients"]),
            distortion_model=_distortion_model(content),
            p=[],
            rectified=False,
        )
        R = np.reshape(numbers(content.get("rectification_matrix", np.eye(3))), (3, 3))
        P = np.reshape(numbers(content.get("projection_matrix", np.c_[raw.K, np.zeros(3)])), (3, 4))
    except KeyError as error:
        raise SequenceError(
            f"{path} has no {error.args[0]}; it must be a calibration as camera_calibration writes it."
        ) from error
    except (CameraError, TypeError, ValueError, OverflowError) as error:
        raise SequenceError(f"{path} is no usable calibration: {shortened(error, 400).rstrip('.')}.") from error
    return Calibration(raw, R, P)


def _distortion_model(content: dict[str, Any]) -> str:
    """Return the distortion model by name, or from OpenCV's flag `fisheye_model`. Raises KeyError without either."""
    if "distortion_model" not in content and "fisheye_model" in content:
        return "equidistant" if content["fisheye_model"] else "plumb_bob"
    return str(content["distortion_model"])


def _reject_other_formats(path: Path, content: dict[str, Any]) -> None:
    """Raise SequenceError for files of Kalibr and ORB-SLAM, and for a region of interest or binning."""
    if isinstance(content.get("cam0"), dict):
        raise SequenceError(
            f"{path} is a camchain of Kalibr; write for each camera a file as camera_calibration does: resolution as "
            "image_width and image_height, intrinsics (fu, fv, pu, pv) as camera_matrix, distortion_coeffs as "
            "distortion_coefficients, radtan or equidistant as distortion_model (omni, eucm, ds are not supported)."
        )
    if any(name.startswith(("Camera.", "Camera1.")) for name in content if isinstance(name, str)):
        raise SequenceError(
            f"{path} is a settings file of ORB-SLAM; write a camera.yaml as camera_calibration does: fx, fy, cx, cy as "
            "camera_matrix, k1, k2, p1, p2, k3 as distortion_coefficients."
        )
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


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the fields of a YAML file, also as OpenCV writes it. Raises SequenceError."""
    from loftr_ros.sequences import plain_yaml  # deferred: only layouts with YAML files need PyYAML

    try:
        content = plain_yaml.load(_OPENCV_HEADER.sub("", path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise SequenceError(
            f"{path} cannot be read ({error.strerror}): put the calibration there as camera_calibration writes it."
        ) from error
    except plain_yaml.ERRORS as error:
        raise SequenceError(f"{path} is no valid YAML: {shortened(error) or type(error).__name__}.") from error
    if not isinstance(content, dict):
        raise SequenceError(f"{path} is no calibration: it holds no fields.")
    return content


def numbers(matrix: Any) -> list[float]:
    """Return the elements of a matrix, row by row, from {rows, cols, data} or (nested) lists."""
    data = matrix["data"] if isinstance(matrix, dict) else matrix
    flat: list[float] = np.asarray(data, np.float64).ravel().tolist()
    return flat
