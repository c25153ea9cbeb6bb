"""TUM-VI, exported as EuRoC: mav0/ with cam0 and cam1 (fisheye), poses of the IMU in mocap0, and dso/camchain.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.errors import shortened
from loftr_ros.evaluation.trajectory import is_rigid
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera, CameraError, checked
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.sequences.camera_yaml import read_yaml, whole
from loftr_ros.sequences.datasets.euroc import read_body_poses, read_images
from loftr_ros.sequences.datasets.layout import Layout, Options
from loftr_ros.sequences.errors import MissingSensorError, NoFramesError, SequenceError
from loftr_ros.sequences.ground_truth import read_ground_truth
from loftr_ros.sequences.pairing import pair_stamps
from loftr_ros.sequences.sequence import Entry, Sequence

_CHAINS = ("dso/camchain.yaml", "camchain.yaml", "mav0/camchain.yaml")


def is_tum_vi(folder: Path) -> bool:
    """Return whether a folder is a sequence of TUM-VI: cameras as of EuRoC, without sensor.yaml."""
    cameras = folder / "mav0" / "cam0"
    has_chain = any((folder / name).is_file() for name in _CHAINS)
    return (cameras / "data.csv").is_file() and has_chain and not (cameras / "sensor.yaml").exists()


def open_tum_vi(folder: Path, options: Options) -> Sequence:
    """Open a sequence. Raises SequenceError."""
    if options.mode == "rgbd":
        raise MissingSensorError(f"{folder} is a sequence of TUM-VI, which has no depth images; use mono or stereo.")
    chain = next(folder / name for name in _CHAINS if (folder / name).is_file())
    left, T_left_imu = _camera(chain, "cam0")
    (lefts, notes), rig = read_images(folder / "mav0" / "cam0"), None
    entries = [Entry(stamp, image) for stamp, image in lefts.items()]
    if options.mode == "stereo":
        if not (folder / "mav0" / "cam1").is_dir():
            raise MissingSensorError(f"{folder / 'mav0' / 'cam1'} is missing; use mode mono.")
        right, T_right_imu = _camera(chain, "cam1")
        rights, _ = read_images(folder / "mav0" / "cam1")
        pairs, pairing = pair_stamps(list(lefts), list(rights))
        notes += pairing
        entries = [Entry(t, lefts[t], rights[pairs[t]], None, pairs[t] - t) for t in lefts if t in pairs]
        if not entries:
            raise NoFramesError(f"No image of {folder / 'mav0' / 'cam1'} is within 5 ms of one of cam0; use mode mono.")
        rig = StereoRig(right, T_left_imu @ se3.inverse(T_right_imu))
    truth, fault = read_ground_truth(
        folder / "mav0" / "mocap0" / "data.csv", lambda path: read_body_poses(path, se3.inverse(T_left_imu))
    )
    return Sequence(
        name=f"TUM-VI {folder.resolve().name}",
        camera=left,
        entries=tuple(entries),
        ground_truth=truth,
        ground_truth_fault=fault,
        rig=rig,
        notes=notes,
    )


def _camera(path: Path, name: str) -> tuple[Camera, Array]:
    """Return a camera of a camchain of Kalibr and T_camera_imu. Raises SequenceError."""
    content: Any = read_yaml(path).get(name)
    try:
        (width, height), (fx, fy, cx, cy) = content["resolution"], content["intrinsics"]
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)
        distortion = np.array(content["distortion_coeffs"], np.float64)
        camera = checked(Camera(whole(width), whole(height), K, str(content["distortion_model"]), distortion))
        T_camera_imu = np.array(content["T_cam_imu"], np.float64).reshape(4, 4)
    except (CameraError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"no {error.args[0]}" if isinstance(error, KeyError) else shortened(error, 300).rstrip(".")
        raise SequenceError(f"{path} is no usable calibration of {name}: {reason}.") from error
    if not is_rigid(T_camera_imu):
        raise SequenceError(f"{path} is no usable calibration of {name}: T_cam_imu is no rotation and translation.")
    return camera, T_camera_imu


TUM_VI = Layout(is_tum_vi, open_tum_vi, "mav0/ and dso/camchain.yaml (TUM-VI)")
