"""The published poses, kept for `save_trajectory`."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.trajectory import Trajectory, write_tum
from loftr_ros.output import OutputError, writing


class TrajectoryLogError(LoftrRosError):
    """The trajectory is empty, or its file cannot be written."""


class TrajectoryLog:
    """A ring buffer of poses. The worker adds to it; any thread may save it."""

    def __init__(self, capacity: int) -> None:
        """Keep the newest `capacity` poses."""
        self._poses: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=capacity)

    def add(self, stamp_ns: int, T_odom_base: NDArray[np.float64]) -> None:
        """Append a (4, 4) pose; it replaces those of later stamps, as of an image stamped by a wrong clock."""
        while self._poses and stamp_ns <= self._poses[-1][0]:
            self._poses.pop()
        self._poses.append((stamp_ns, T_odom_base))

    def clear(self) -> None:
        """Start a new trajectory."""
        self._poses.clear()

    def save(self, path: Path) -> str:
        """Write the trajectory in TUM format; returns a message with the number of poses and the file.

        Raises:
            TrajectoryLogError: it is empty, or the file cannot be written.
        """
        poses = list(self._poses)  # an atomic copy
        if not poses:
            raise TrajectoryLogError("there is no trajectory to save: no odometry came since the start or the reset")
        stamps, matrices = zip(*poses, strict=True)
        try:
            with writing(path) as part:
                write_tum(part, Trajectory(np.array(stamps, np.int64), np.array(matrices)))
        except OutputError as error:
            raise TrajectoryLogError(f"{str(error).rstrip('.')}; set the parameter trajectory_file") from error
        return f"wrote the last {len(poses)} poses to {path}"
