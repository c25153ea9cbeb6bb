"""EuRoC MAV layout: mav0/ with raw images in cam0 and cam1, and body poses in state_groundtruth_estimate0."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import shortened
from loftr_ros.evaluation.trajectory import Trajectory, checked_trajectory, is_rigid, poses_of
from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera, CameraError, checked
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.sequences.camera_yaml import numbers, read_yaml, whole
from loftr_ros.sequences.errors import MissingSensorError, NoFramesError, SequenceError
from loftr_ros.sequences.ground_truth import read_ground_truth
from loftr_ros.sequences.pairing import pair_stamps
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import read_nanoseconds, read_table

_IMAGE_ROWS = "one 'stamp in nanoseconds,filename' a line"
_POSE_ROWS = "a stamp, a position and a quaternion a line"
EXPECTED_FILES = "mav0/cam0/data.csv (EuRoC)"


def is_euroc(folder: Path) -> bool:
    """Return whether a folder has the layout of the EuRoC MAV data set."""
    return (folder / "mav0" / "cam0").is_dir()


def open_euroc(folder: Path, mode: Mode) -> Sequence:
    """Open a sequence folder; mode "stereo" drops images without one of the other camera within 5 ms.

    Raises:
        SequenceError: a file is missing or not valid.
    """
    if mode == "rgbd":
        raise MissingSensorError(f"{folder} is a EuRoC sequence, which has no depth images; use mode mono or stereo.")
    mav = folder / "mav0"
    left, T_body_left = _read_sensor(mav / "cam0" / "sensor.yaml")
    (lefts, notes), rig = read_images(mav / "cam0"), None
    pairs: dict[int, int] = {}
    images: dict[int, Path] = {}
    if mode == "stereo":
        if not (mav / "cam1").is_dir():
            raise MissingSensorError(f"{mav / 'cam1'} is missing, so there is no right camera; use mode mono.")
        (images, _), rig = read_images(mav / "cam1"), _read_rig(mav, T_body_left)
        pairs, pairing = pair_stamps(list(lefts), list(images))
        notes += pairing
        if not pairs:
            raise NoFramesError(_no_pair_message(mav, lefts, images))
    truth, fault = read_ground_truth(
        mav / "state_groundtruth_estimate0" / "data.csv", lambda path: read_body_poses(path, T_body_left)
    )
    return Sequence(
        name=f"EuRoC {folder.resolve().name}",
        camera=left,
        entries=tuple(_entry(lefts, images, t, pairs.get(t)) for t in lefts if t in pairs or mode == "mono"),
        ground_truth=truth,
        ground_truth_fault=fault,
        rig=rig,
        notes=notes,
    )


def _entry(lefts: dict[int, Path], rights: dict[int, Path], left: int, right: int | None) -> Entry:
    return Entry(left, lefts[left]) if right is None else Entry(left, lefts[left], rights[right], None, right - left)


def read_images(camera: Path) -> tuple[dict[int, Path], tuple[str, ...]]:
    """Return the images in data/ by stamp, nanoseconds, from rows of `stamp [ns],filename`, and notes on the unit.

    Raises:
        SequenceError: data.csv is not valid.
    """
    path = camera / "data.csv"
    rows = read_table(path, ",")
    if not rows or any(len(row) != 2 for row in rows):
        raise SequenceError(f"{path} must list {_IMAGE_ROWS}.")
    stamps, notes = read_nanoseconds([row[0] for row in rows], path, _IMAGE_ROWS)
    images = {stamp: camera / "data" / row[1] for stamp, row in zip(stamps, rows, strict=True)}
    if len(images) < len({(stamp, row[1]) for stamp, row in zip(stamps, rows, strict=True)}):
        raise SequenceError(f"{path} lists two images with one stamp.")
    return images, notes


def _no_pair_message(mav: Path, lefts: dict[int, Path], rights: dict[int, Path]) -> str:
    """Return the error message, with the smallest difference of stamps between both cameras."""
    both = sorted([*((stamp, 0) for stamp in lefts), *((stamp, 1) for stamp in rights)])
    apart = min(after - before for (before, one), (after, other) in itertools.pairwise(both) if one != other)
    return (
        f"No image of {mav / 'cam1'} has the stamp of one of cam0, the nearest are {apart} ns apart: write the same "
        "stamps into both data.csv if the cameras are synchronized, or use mode mono."
    )


def _read_sensor(path: Path) -> tuple[Camera, NDArray[np.float64]]:
    """Return the camera and T_body_camera (4, 4). Raises SequenceError."""
    content = read_yaml(path)
    if str(content.get("camera_model", "pinhole")).lower() != "pinhole":
        raise SequenceError(
            f"{path} is of the camera model '{shortened(content['camera_model'])}'; only pinhole is supported: "
            "calibrate with the distortion model equidistant (fisheye) or radial-tangential."
        )
    try:
        (width, height), (fx, fy, cx, cy) = content["resolution"], content["intrinsics"]
        camera = checked(
            Camera(
                whole(width),
                whole(height),
                np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
                str(content["distortion_model"]),
                np.array(content["distortion_coefficients"]),
            )
        )
        T_body_camera = np.reshape(numbers(content["T_BS"]), (4, 4))
    except KeyError as error:
        raise SequenceError(f"{path} has no {error.args[0]}; it must describe a camera as EuRoC does.") from error
    except (CameraError, TypeError, ValueError, OverflowError) as error:
        raise SequenceError(f"{path} is no usable calibration: {shortened(error, 400).rstrip('.')}.") from error
    if not np.allclose(T_body_camera[3], (0, 0, 0, 1), rtol=0, atol=1e-6):
        row = T_body_camera[3].tolist()
        raise SequenceError(
            f"{path} is no usable calibration: the last row of T_BS is {row}, but must be 0 0 0 1: write it row by row."
        )
    if not is_rigid(T_body_camera):
        raise SequenceError(f"{path} is no usable calibration: T_BS is no rotation and translation.")
    return camera, T_body_camera


def _read_rig(mav: Path, T_body_left: NDArray[np.float64]) -> StereoRig:
    right, T_body_right = _read_sensor(mav / "cam1" / "sensor.yaml")
    try:
        return StereoRig(right, se3.inverse(T_body_left) @ T_body_right)
    except CameraError as error:
        raise SequenceError(f"T_BS of {mav / 'cam0'} and cam1 are no usable calibration: {error}") from error


def read_body_poses(path: Path, T_body_camera: NDArray[np.float64]) -> Trajectory:
    """Return the trajectory of the camera, from rows of body poses `stamp [ns], x, y, z, qw, qx, qy, qz, ...`.

    Raises:
        SequenceError: the file is not valid.
    """
    rows = read_table(path, ",")
    if not rows or any(len(row) < 8 for row in rows):
        raise SequenceError(f"{path} must list {_POSE_ROWS}: {'a row has fewer numbers' if rows else 'it is empty'}.")
    stamps_ns, _ = read_nanoseconds([row[0] for row in rows], path, _POSE_ROWS)
    try:
        table = np.array([row[1:8] for row in rows], np.float64)
    except ValueError as error:
        raise SequenceError(f"{path} must list {_POSE_ROWS}: {shortened(error)}.") from error
    bodies = poses_of(path, table[:, :3], table[:, [4, 5, 6, 3]])
    body = checked_trajectory(path, np.array(stamps_ns, np.int64), bodies)
    return Trajectory(body.stamps_ns, body.poses @ T_body_camera)
