"""Calibration files for recordings that have none: one for a camera, two for a pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.geometry.camera import Camera, CameraError
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.sequences.camera_yaml import read_calibration
from loftr_ros.sequences.errors import MissingSensorError, SequenceError


def cameras_of_files(files: Sequence[Path], mode: Mode) -> tuple[Camera, StereoRig | None]:
    """Return the left or only camera, and the rig of a pair.

    Args:
        files: calibrations of the images as they are stored, of the left or only and of the right camera.
        mode: sensors that the frames must have.

    Raises:
        SequenceError: a file cannot be read, or there is one for a pair.
    """
    if mode == "stereo" and len(files) != 2:
        raise MissingSensorError(f"--camera names {len(files)} files; mode stereo takes two: left.yaml right.yaml.")
    if mode != "stereo":
        return read_calibration(files[0]).raw, None
    left, right = map(read_calibration, files)
    try:
        return left.raw, left.rig(right)
    except CameraError as error:
        raise SequenceError(f"{files[1]} is no usable calibration: {error}") from error
