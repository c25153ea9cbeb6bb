"""Calibration files of ROS: the YAML that camera_calibration writes and camera_info_manager reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import shortened
from loftr_ros.odometry.camera import Camera, CameraError, stereo_baseline
from loftr_ros.odometry.stereo_rig import StereoRig
from loftr_ros.sequences.errors import SequenceError


@dataclass(frozen=True)
class Calibration:
    """One camera as in sensor_msgs/CameraInfo.

    Attributes:
        raw: the camera that took the raw images (K and D).
        R: (3, 3) rotation from the camera to its rectified frame.
        P: (3, 4) projection matrix of the rectified image, pixels; P[0, 3] = -fx * baseline for a right camera.
    """

    raw: Camera
    R: NDArray[np.float64]
    P: NDArray[np.float64]

    def rig(self, right: Calibration) -> StereoRig:
        """Return the raw pair of this camera and a right one. Raises CameraError if `right` holds no baseline."""
        baseline = stereo_baseline(self.P.ravel().tolist(), right.P.ravel().tolist())
        return StereoRig.from_rectification(right.raw, self.R, right.R, baseline)


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file.

    Raises:
        SequenceError: the file is missing, is no YAML, lacks a field or describes no camera.
    """
    content = read_yaml(path)
    try:
        K = numbers(content["camera_matrix"])
        raw = Camera.from_camera_info(
            int(content["image_width"]),
            int(content["image_height"]),
            k=K,
            d=numbers(content["distortion_coefficients"]),
            distortion_model=str(content["distortion_model"]),
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


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the fields of a YAML file, or of one that OpenCV wrote. Raises SequenceError."""
    from loftr_ros.sequences import plain_yaml  # not at the top: other layouts, and training, do without PyYAML

    try:
        # OpenCV's first line, %YAML:1.0, is no YAML.
        content = plain_yaml.load(path.read_text().removeprefix("%YAML:1.0"))
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
    """Flatten a matrix, written as {rows, cols, data} or as a plain list."""
    data = matrix["data"] if isinstance(matrix, dict) else matrix
    flat: list[float] = np.asarray(data, np.float64).ravel().tolist()
    return flat
