"""Poses over time, and the two file formats in which the field exchanges them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from loftr_ros.errors import LoftrRosError
from loftr_ros.odometry.estimate import OdometryEstimate


class TrajectoryError(LoftrRosError):
    """A trajectory file that cannot be read, or trajectories that cannot be compared."""


@dataclass(frozen=True)
class Trajectory:
    """Poses of one moving frame in a fixed one.

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
    """Write rows of `stamp tx ty tz qx qy qz qw`, seconds and metres (TUM RGB-D benchmark)."""
    quaternions = Rotation.from_matrix(trajectory.poses[:, :3, :3]).as_quat().reshape(-1, 4)
    with path.open("w") as file:
        for ns, t, q in zip(trajectory.stamps_ns.tolist(), trajectory.positions, quaternions, strict=True):
            # Nanoseconds since 1970 do not fit a float64 of seconds, so the digits are set by hand.
            file.write(f"{ns // 10**9}.{ns % 10**9:09d} " + " ".join(f"{v:.9f}" for v in (*t, *q)) + "\n")


def write_kitti(path: Path, trajectory: Trajectory) -> None:
    """Write one row-major 3x4 pose a line (KITTI odometry benchmark)."""
    np.savetxt(path, trajectory.poses[:, :3].reshape(-1, 12), fmt="%.9e")


def read_tum(path: Path) -> Trajectory:
    """Read rows of `stamp tx ty tz qx qy qz qw`; `#` starts a comment. Raises TrajectoryError."""
    rows = _read_rows(path, 8, "stamp tx ty tz qx qy qz qw")
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3, 3] = rows[:, 1:4]
    try:
        poses[:, :3, :3] = Rotation.from_quat(rows[:, 4:]).as_matrix()
    except ValueError as error:
        raise TrajectoryError(f"{path} has a quaternion of zero length: {error}.") from error
    return Trajectory(np.round(rows[:, 0] * 1e9).astype(np.int64), poses)


def read_kitti(path: Path, stamps_ns: NDArray[np.int64]) -> Trajectory:
    """Read one row-major 3x4 pose a line; the file has no stamps, so they are given. Raises TrajectoryError."""
    rows = _read_rows(path, 12, "the 12 numbers of a 3x4 pose")
    if len(stamps_ns) < len(rows):
        raise TrajectoryError(f"{path} has {len(rows)} poses but there are only {len(stamps_ns)} stamps.")
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3] = rows.reshape(-1, 3, 4)
    return Trajectory(np.asarray(stamps_ns[: len(rows)], np.int64), poses)


def _read_rows(path: Path, columns: int, what: str) -> NDArray[np.float64]:
    try:
        rows = np.loadtxt(path, ndmin=2, dtype=np.float64)
    except (OSError, ValueError) as error:
        raise TrajectoryError(f"{path} cannot be read as a trajectory: {error}.") from error
    if rows.size == 0 or rows.shape[1] != columns or not np.isfinite(rows).all():
        raise TrajectoryError(f"{path} is no trajectory: every line must hold {what}.")
    return rows
