"""Trajectories, and their files in TUM and KITTI format."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from loftr_ros.errors import LoftrRosError, shortened
from loftr_ros.odometry.geometry import se3
from loftr_ros.validation import refuse_pipe

if TYPE_CHECKING:
    from loftr_ros.odometry.estimate import OdometryEstimate

# Content of a row, by its number of columns.
TUM = {8: "stamp tx ty tz qx qy qz qw (TUM)"}
KITTI = {12: "the 12 numbers of a 3x4 pose (KITTI)"}
TIMES = {1: "a stamp in seconds"}
MAX_SECONDS = 2**31  # end of ROS stamps, in 2038
SMALLER_UNITS = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
MAX_DISTANCE = 1e9  # meters from the origin: keeps sums of squares finite
_HEADER_WORDS = ("time", "stamp", "sec", "t ", "t,")
LIVE = ".live"  # before the suffix of a file that is written row by row while a program runs
MAX_SHEAR = 1e-2  # deviation of R R^T from the identity; tolerates files with few digits


class TrajectoryError(LoftrRosError):
    """A trajectory file that cannot be read, or trajectories that cannot be compared."""


@dataclass(frozen=True)
class Trajectory:
    """Poses of a moving frame in a fixed frame.

    Attributes:
        stamps_ns: (N,) int64 nanoseconds, increasing.
        poses: (N, 4, 4) float64 T_fixed_moving, for the odometry T_odom_camera.
    """

    stamps_ns: NDArray[np.int64]
    poses: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.stamps_ns)

    @property
    def positions(self) -> NDArray[np.float64]:
        """(N, 3) origins of the moving frame."""
        return self.poses[:, :3, 3]

    @property
    def length(self) -> float:
        """Length of the path through the positions."""
        return float(np.linalg.norm(np.diff(self.positions, axis=0), axis=1).sum())

    @staticmethod
    def from_estimates(estimates: Iterable[OdometryEstimate]) -> Trajectory:
        """Collect the poses of the odometry."""
        pairs = [(e.stamp_ns, e.T_odom_camera) for e in estimates]
        stamps = np.array([stamp for stamp, _ in pairs], np.int64)
        return Trajectory(stamps, np.array([T for _, T in pairs], np.float64).reshape(-1, 4, 4))


def write_tum(path: Path, trajectory: Trajectory) -> None:
    """Write rows of `stamp tx ty tz qx qy qz qw`, seconds and meters (TUM RGB-D benchmark)."""
    with path.open("w") as file:
        file.writelines(tum_rows(trajectory))


def tum_rows(trajectory: Trajectory) -> Iterator[str]:
    """Yield the rows of `write_tum`."""
    quaternions = Rotation.from_matrix(trajectory.poses[:, :3, :3]).as_quat().reshape(-1, 4)
    for ns, t, q in zip(trajectory.stamps_ns.tolist(), trajectory.positions, quaternions, strict=True):
        # Seconds since 1970 as float64 cannot represent nanoseconds, so integers are formatted.
        seconds = f"{'-' if ns < 0 else ''}{abs(ns) // 10**9}.{abs(ns) % 10**9:09d}"
        yield f"{seconds} " + " ".join(f"{v:.9f}" for v in (*t, *q)) + "\n"


def write_kitti(path: Path, trajectory: Trajectory) -> None:
    """Write one row-major 3x4 pose per line (KITTI odometry benchmark)."""
    np.savetxt(path, trajectory.poses[:, :3].reshape(-1, 12), fmt="%.9e")


def read_trajectory(path: Path, times: Path | None = None) -> Trajectory:
    """Read a file in TUM or KITTI format, detected by the number of columns.

    Args:
        path: the file.
        times: file with one stamp in seconds per line, for KITTI poses.

    Raises:
        TrajectoryError: the file cannot be read or has neither format, or it has KITTI poses and `times` is missing.
    """
    rows = _read_rows(path, TUM | KITTI)
    if rows.shape[1] in TUM:
        return _from_tum(path, rows)
    if times is None:
        raise TrajectoryError(
            f"{path} holds KITTI poses, which have no stamps: give a file of stamps with --times FILE."
        )
    return _from_kitti(path, rows, read_times(times))


def read_tum(path: Path) -> Trajectory:
    """Read rows of `stamp tx ty tz qx qy qz qw`; `#` starts a comment. Raises TrajectoryError."""
    return _from_tum(path, _read_rows(path, TUM))


def read_kitti(path: Path, stamps_ns: NDArray[np.int64]) -> Trajectory:
    """Read one row-major 3x4 pose per line, with stamps from elsewhere. Raises TrajectoryError."""
    return _from_kitti(path, _read_rows(path, KITTI), stamps_ns)


def read_times(path: Path) -> NDArray[np.int64]:
    """Read one stamp in seconds per line, as in KITTI's times.txt; (N,) nanoseconds. Raises TrajectoryError."""
    stamps_ns = _nanoseconds(path, _read_rows(path, TIMES)[:, 0])
    _check_order(path, stamps_ns)
    return stamps_ns


def why_no_stamp(seconds: float) -> str:
    """Return the reason why a number is out of range for a stamp in seconds; empty if it is not."""
    if abs(seconds) < MAX_SECONDS:
        return ""
    unit = next((name for name, count in SMALLER_UNITS.items() if abs(seconds) / count < MAX_SECONDS), None)
    guess = f", and this looks like {unit}" if unit else ""
    return f"stamps are in seconds and end at {MAX_SECONDS}{guess}"


def checked_trajectory(path: Path, stamps_ns: NDArray[np.int64], poses: NDArray[np.float64]) -> Trajectory:
    """Validate (N,) stamps and (N, 4, 4) poses read from a file, and return the trajectory.

    Raises:
        TrajectoryError: the stamps do not increase, or a pose is invalid.
    """
    _check_order(path, stamps_ns)
    check_positions(path, poses[:, :3, 3])
    has_row = np.abs(poses[:, 3] - (0.0, 0.0, 0.0, 1.0)).max(axis=1, initial=0.0) < MAX_SHEAR
    if not has_row.all():
        raise TrajectoryError(
            f"{path} cannot be used: the last row of pose {np.argmin(has_row) + 1} is not 0 0 0 1: write it row by row."
        )
    rotates = se3.are_rotations(poses[:, :3, :3], MAX_SHEAR)
    if not rotates.all():
        raise TrajectoryError(f"{path} cannot be used: pose {np.argmin(rotates) + 1} holds no rotation.")
    return Trajectory(stamps_ns, poses)


def check_positions(path: Path, positions: NDArray[np.float64]) -> None:
    """Raise TrajectoryError if one of (N, 3) positions that were read from a file is not in meters, or not finite."""
    near = (np.abs(positions) < MAX_DISTANCE).all(axis=1)  # False for NaN
    if not near.all():
        raise TrajectoryError(f"{path} cannot be used: pose {np.argmin(near) + 1} holds no position in meters.")


def is_rigid(T: NDArray[np.float64]) -> bool:
    """Return whether a (4, 4) matrix is a rotation and a translation in meters."""
    has_row = np.allclose(T[3], (0, 0, 0, 1), rtol=0, atol=1e-6)
    return bool(has_row and (np.abs(T[:3, 3]) < MAX_DISTANCE).all() and se3.are_rotations(T[:3, :3], MAX_SHEAR))


def poses_of(path: Path, positions: NDArray[np.float64], quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (N, 4, 4) poses of (N, 3) positions and (N, 4) quaternions x, y, z, w of any length from a file.

    Raises:
        TrajectoryError: a position is not in meters, or a quaternion has zero length or is not finite.
    """
    check_positions(path, positions)
    largest = np.abs(quaternions).max(axis=1, keepdims=True)
    usable = (largest > 0) & (largest < np.inf)  # False for NaN
    if not usable.all():
        row = np.argmin(usable) + 1
        raise TrajectoryError(
            f"{path} cannot be used: pose {row} has a quaternion of zero length, or not a finite one."
        )
    poses = np.tile(np.eye(4), (len(positions), 1, 1))
    poses[:, :3, :3] = Rotation.from_quat(quaternions / largest).as_matrix()
    poses[:, :3, 3] = positions
    return poses


def _from_tum(path: Path, rows: NDArray[np.float64]) -> Trajectory:
    return checked_trajectory(path, _nanoseconds(path, rows[:, 0]), poses_of(path, rows[:, 1:4], rows[:, 4:]))


def _from_kitti(path: Path, rows: NDArray[np.float64], stamps_ns: NDArray[np.int64]) -> Trajectory:
    if len(stamps_ns) < len(rows):
        raise TrajectoryError(f"{path} has {len(rows)} poses but there are only {len(stamps_ns)} stamps.")
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3] = rows.reshape(-1, 3, 4)
    return checked_trajectory(path, np.asarray(stamps_ns[: len(rows)], np.int64), poses)


def _nanoseconds(path: Path, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    latest = float(seconds[np.abs(seconds).argmax()])
    if reason := why_no_stamp(latest):
        raise TrajectoryError(f"{path} cannot be used: it has the stamp {latest:.9g}, but {reason}.")
    return np.asarray(np.round(seconds * 1e9), np.int64)


def _check_order(path: Path, stamps_ns: NDArray[np.int64]) -> None:
    back = np.flatnonzero(np.diff(stamps_ns) <= 0)
    if len(back):
        raise TrajectoryError(f"{path} is not in order of time: stamp {back[0] + 2} is not after the previous one.")


def _rows_of(path: Path, lines: Iterable[str]) -> Iterator[str]:
    """Skip a header line without #, such as 'timestamp tx ty tz qx qy qz qw', and a killed program's unfinished row.

    A number that is cut off is a number all the same, so such a row may look like a pose.
    """
    is_live = LIVE in path.suffixes[-2:]
    for i, line in enumerate(lines):
        if is_live and not line.endswith("\n"):
            return
        if i > 0 or not line.lower().lstrip("%").startswith(_HEADER_WORDS):
            yield line


def _read_rows(path: Path, contents: Mapping[int, str]) -> NDArray[np.float64]:
    """Read (N, M) finite numbers, N at least 1, M one of the keys of `contents`."""
    try:
        refuse_pipe(path)
        with path.open(encoding="utf-8-sig") as file, warnings.catch_warnings():  # utf-8-sig skips a byte order mark
            warnings.simplefilter("ignore")  # an empty file is reported below
            rows = np.loadtxt(
                (line.replace(",", " ").replace(";", " ") for line in _rows_of(path, file)), ndmin=2, dtype=np.float64
            )
    except OSError as error:
        raise TrajectoryError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise TrajectoryError(f"{path} cannot be used: it is no text; unpack it if it is compressed.") from error
    except ValueError as error:
        # NumPy appends advice for programmers after a semicolon.
        raise TrajectoryError(f"{path} cannot be used: {shortened(str(error).split(';')[0]).rstrip('.')}.") from error
    if rows.size == 0 or rows.shape[1] not in contents:
        raise TrajectoryError(f"{path} cannot be used: every line must hold {' or '.join(contents.values())}.")
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise TrajectoryError(f"{path} cannot be used: row {np.argmin(finite) + 1} holds a number that is not finite.")
    return rows
