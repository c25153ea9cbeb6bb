"""The published poses, kept for `save_trajectory`."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.trajectory import Trajectory, write_tum
from loftr_ros.output import OutputError, writing


class TrajectoryLogError(LoftrRosError):
    """The trajectory is empty, or its file cannot be written."""


class TrajectoryLog:
    """A ring buffer of poses. The worker adds to it; any thread may save it.

    Two arrays, because a list of small ones, each between temporary arrays of its frame, would fragment the heap: it
    grew by six times the size of the poses.
    """

    def __init__(self, capacity: int) -> None:
        """Keep the newest `capacity` poses."""
        self._lock = Lock()
        # Memory of zeros is taken only as it is written.
        self._stamps_ns = np.zeros(capacity, np.int64)
        self._poses = np.zeros((capacity, 4, 4))
        self._count = self._added = 0

    def add(self, stamp_ns: int, T_odom_base: NDArray[np.float64]) -> None:
        """Append a (4, 4) pose; it replaces those of later stamps, as of an image stamped by a wrong clock."""
        capacity = len(self._stamps_ns)
        with self._lock:
            while self._count and stamp_ns <= self._stamps_ns[(self._added - 1) % capacity]:
                self._added, self._count = self._added - 1, self._count - 1
            index = self._added % capacity
            self._stamps_ns[index], self._poses[index] = stamp_ns, T_odom_base
            self._added, self._count = self._added + 1, min(self._count + 1, capacity)

    def clear(self) -> None:
        """Start a new trajectory."""
        with self._lock:
            self._count = 0

    def poses(self) -> Trajectory:
        """Return a copy of the poses."""
        with self._lock:
            index = np.arange(self._added - self._count, self._added) % len(self._stamps_ns)
            return Trajectory(self._stamps_ns[index], self._poses[index])

    def save(self, path: Path) -> str:
        """Write the trajectory in TUM format; returns a message with the number of poses and the file.

        Raises:
            TrajectoryLogError: it is empty, or the file cannot be written.
        """
        poses = self.poses()
        if not len(poses):
            raise TrajectoryLogError("there is no trajectory to save: no odometry came since the start or the reset")
        try:
            with writing(path) as part:
                write_tum(part, poses)
        except OutputError as error:
            raise TrajectoryLogError(f"{str(error).rstrip('.')}; set the parameter trajectory_file") from error
        return f"wrote the last {len(poses)} poses to {path}"
