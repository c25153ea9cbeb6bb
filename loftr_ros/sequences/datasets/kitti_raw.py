"""KITTI raw: a drive with image_00 to image_03 and oxts (GPS and IMU); calib_*.txt in the folder of its date.

Images are rectified (the `sync` version). The poses are those of the devkit: GPS in Mercator projection, and IMU.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from loftr_ros.arrays import Array
from loftr_ros.errors import shortened
from loftr_ros.evaluation.trajectory import Trajectory, checked_trajectory, is_rigid, why_no_stamp
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera, CameraError, checked, projection_offset, stereo_baseline
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.sequences.datasets.layout import Layout, Options, images_of, read_numbers
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.ground_truth import read_ground_truth
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import read_text

_PAIRS = ((0, 1), (2, 3))  # the gray and the color cameras
_CAMERAS = "calib_cam_to_cam.txt"
_EARTH_RADIUS_M = 6378137.0


def is_kitti_raw(folder: Path) -> bool:
    """Return whether a folder is a drive of KITTI raw."""
    return any((folder / f"image_{left:02d}" / "data").is_dir() for left, _ in _PAIRS)


def open_kitti_raw(folder: Path, options: Options) -> Sequence:
    """Open a drive: the gray cameras, else the color cameras. Raises SequenceError."""
    if options.mode == "rgbd":
        raise MissingSensorError(f"{folder} is a drive of KITTI raw, which has no depth images; use mono or stereo.")
    left, right = next(pair for pair in _PAIRS if (folder / f"image_{pair[0]:02d}" / "data").is_dir())
    calibration = _Calibration(folder)
    camera = calibration.camera(left)
    images = images_of(folder / f"image_{left:02d}" / "data")
    stamps = _stamps(folder / f"image_{left:02d}" / "timestamps.txt")
    if max(images) >= len(stamps):
        raise SequenceError(f"{folder / f'image_{left:02d}'} has {len(stamps)} stamps for an image {max(images)}.")
    rights, rig = {}, None
    if options.mode == "stereo":
        if not (folder / f"image_{right:02d}" / "data").is_dir():
            raise MissingSensorError(f"{folder / f'image_{right:02d}'} is missing; use mode mono.")
        rights = {i: folder / f"image_{right:02d}" / "data" / image.name for i, image in images.items()}
        rig = calibration.rig(left, right)
    truth, fault = read_ground_truth(folder / "oxts", lambda path: _truth(path, calibration, left))
    return Sequence(
        name=f"KITTI {folder.resolve().name}",
        camera=camera,
        entries=tuple(Entry(stamps[i], image, right=rights.get(i)) for i, image in images.items()),
        ground_truth=truth,
        ground_truth_fault=fault,
        rig=rig,
    )


class _Calibration:
    """The calibration files of a date."""

    def __init__(self, folder: Path) -> None:
        """Read that of the cameras, in the folder of a drive or above it. Raises SequenceError."""
        folders = (folder.resolve().parent, folder)
        self._folder = next((place for place in folders if (place / _CAMERAS).is_file()), None)
        if self._folder is None:
            raise SequenceError(
                f"{folder.resolve().parent / _CAMERAS} is missing: unpack the calibration of the date there."
            )
        self._cameras = self._read(_CAMERAS)

    def camera(self, number: int) -> Camera:
        """Return a rectified camera. Raises SequenceError."""
        size = self._numbers(self._cameras, _CAMERAS, f"S_rect_{number:02d}", 2)
        width, height = (round(side) for side in size.tolist())
        try:
            return checked(Camera(width, height, self._projection(number)[:, :3]))
        except CameraError as error:
            raise SequenceError(f"{self._path(_CAMERAS)} is no usable calibration: {error}") from error

    def rig(self, left: int, right: int) -> StereoRig:
        """Return the rig of a pair. Raises SequenceError."""
        P_left, P_right = (self._projection(number).ravel().tolist() for number in (left, right))
        try:
            return StereoRig.rectified(self.camera(right), stereo_baseline(P_left, P_right))
        except CameraError as error:
            raise SequenceError(f"{self._path(_CAMERAS)} is no usable calibration: {error}") from error

    def camera_in_imu(self, number: int) -> Array:
        """Return T_imu_camera of a rectified camera. Raises SequenceError."""
        T_rectified_camera0 = self._transform(_CAMERAS, self._cameras, "R_rect_00")
        T_velo_imu, T_camera0_velo = (
            self._transform(name, self._read(name), "R", "T")
            for name in ("calib_imu_to_velo.txt", "calib_velo_to_cam.txt")
        )
        T_rectified_camera = np.eye(4)
        try:
            T_rectified_camera[:3, 3] = -projection_offset(self._projection(number).ravel().tolist())
        except CameraError as error:
            raise SequenceError(f"{self._path(_CAMERAS)} is no usable calibration: {error}") from error
        return se3.inverse(T_camera0_velo @ T_velo_imu) @ se3.inverse(T_rectified_camera0) @ T_rectified_camera

    def _projection(self, number: int) -> Array:
        return self._numbers(self._cameras, _CAMERAS, f"P_rect_{number:02d}", 12).reshape(3, 4)

    def _transform(self, name: str, rows: dict[str, str], rotation: str, translation: str = "") -> Array:
        """Return the (4, 4) transform of rows of a file. Raises SequenceError."""
        t = self._numbers(rows, name, translation, 3) if translation else np.zeros(3)
        T = se3.transform(self._numbers(rows, name, rotation, 9).reshape(3, 3), t)
        if not is_rigid(T):
            raise SequenceError(f"{self._path(name)} has no rotation in '{rotation}:', or no translation in meters.")
        return T

    def _path(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / name

    def _read(self, name: str) -> dict[str, str]:
        lines = read_text(self._path(name)).splitlines()
        return {key: values for key, colon, values in (line.partition(":") for line in lines) if colon}

    def _numbers(self, rows: dict[str, str], name: str, key: str, count: int) -> Array:
        try:
            numbers = np.array(rows[key].split(), np.float64)
        except (KeyError, ValueError):
            numbers = np.zeros(0)
        if numbers.size != count or not np.isfinite(numbers).all():
            raise SequenceError(f"{self._path(name)} has no row '{key}:' with {count} numbers.")
        return numbers


def _stamps(path: Path) -> list[int]:
    """Return the stamps of rows such as 2011-09-26 13:02:25.964389445, nanoseconds since 1970. Raises SequenceError."""
    rows = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    try:
        return [_nanoseconds(row) for row in rows]
    except ValueError as error:
        raise SequenceError(f"{path} must hold a date and time a line: {shortened(error)}.") from error


def _nanoseconds(row: str) -> int:
    """Raises ValueError."""
    whole, point, fraction = row.partition(".")
    seconds = round(datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc).timestamp())
    if point and not fraction.isdecimal():
        raise ValueError(f"the fraction of the second in '{shortened(row, 60)}' is no number")
    if reason := why_no_stamp(seconds):
        raise ValueError(f"'{shortened(row, 60)}' is out of range: {reason}")
    return seconds * 10**9 + int(fraction[:9].ljust(9, "0"))


def _position(file: Path) -> Array:
    """Return latitude, longitude, altitude, roll, pitch, yaw. Raises SequenceError."""
    table = read_numbers(file)
    is_row = len(table) == 1 and table.shape[1] >= 6 and np.isfinite(table[0, :6]).all()
    if not (is_row and abs(table[0, 0]) < 90):
        raise SequenceError(
            f"{file} must hold one row that begins with latitude (below 90), longitude, altitude, roll, pitch, yaw."
        )
    return np.asarray(table[0, :6])


def _truth(folder: Path, calibration: _Calibration, camera: int) -> Trajectory:
    """Return T_world_camera from latitude, longitude (degrees), altitude, roll, pitch, yaw; x east, y north, z up."""
    stamps = _stamps(folder / "timestamps.txt")
    files = sorted((folder / "data").glob("*.txt"), key=lambda file: int(file.stem) if file.stem.isdecimal() else 0)
    rows = np.array([_position(file) for file in files]).reshape(-1, 6)
    if len(stamps) != len(rows) or not len(rows):
        raise SequenceError(f"{folder} has {len(rows)} files for {len(stamps)} stamps.")
    latitude, longitude, altitude, roll, pitch, yaw = rows.T
    scale = np.cos(np.radians(latitude[0]))
    east = scale * _EARTH_RADIUS_M * np.radians(longitude)
    north = scale * _EARTH_RADIUS_M * np.log(np.tan(np.radians(90 + latitude) / 2))
    T_world_imu = np.tile(np.eye(4), (len(rows), 1, 1))
    T_world_imu[:, :3, :3] = Rotation.from_euler("xyz", np.stack([roll, pitch, yaw], axis=1)).as_matrix()
    T_world_imu[:, :3, 3] = np.stack([east - east[0], north - north[0], altitude - altitude[0]], axis=1)
    imu = checked_trajectory(folder, np.array(stamps, np.int64), T_world_imu)
    return Trajectory(imu.stamps_ns, imu.poses @ calibration.camera_in_imu(camera))


KITTI_RAW = Layout(is_kitti_raw, open_kitti_raw, "image_00/data/ (KITTI raw)")
