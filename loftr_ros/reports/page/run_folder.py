"""Reads the results of a run from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.evaluation.ate import associate, in_first_camera
from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError, read_tum
from loftr_ros.output import REPORT_FILE
from loftr_ros.reports.page.run_json import read_run_json
from loftr_ros.reports.run_log import TRAJECTORY_FILE, TRUTH_FILE, RunLogError


@dataclass(frozen=True)
class RunFolder:
    """Results of a run.

    Attributes:
        path: of the folder.
        summary, frames: content of run.json.
        trajectory: T_odom_camera, one pose per frame.
        truth: ground truth, or None.
    """

    path: Path
    summary: dict[str, Any]
    frames: list[dict[str, Any]]
    trajectory: Trajectory
    truth: Trajectory | None

    @staticmethod
    def read(path: Path) -> RunFolder:
        """Read a folder.

        Raises:
            RunLogError: it is not the folder of a run, or a field of run.json is not what it should be.
            TrajectoryError: a trajectory cannot be read.
        """
        summary, frames = read_run_json(path)
        trajectory = read_tum(path / TRAJECTORY_FILE)
        if len(trajectory) != len(frames):
            raise RunLogError(
                f"{path / TRAJECTORY_FILE} has {len(trajectory)} poses for the {len(frames)} frames of {REPORT_FILE}: "
                "repeat the run."
            )
        truth_path = path / TRUTH_FILE
        return RunFolder(path, summary, frames, trajectory, read_tum(truth_path) if truth_path.is_file() else None)

    @property
    def name(self) -> str:
        """Name of the run: that of its folder."""
        return self.path.resolve().name

    @property
    def unit(self) -> str:
        """Unit of lengths."""
        return "m" if self.summary.get("scale_known") else "units"

    @cached_property
    def seconds(self) -> Array:
        """(N,) since the first frame."""
        return np.asarray((self.trajectory.stamps_ns - self.trajectory.stamps_ns[0]) / 1e9)

    @cached_property
    def aligned(self) -> tuple[Array, Array | None, Array | None]:
        """(N, 3) positions, (M, 3) ground truth, and (N,) position errors, in the frame of the first camera.

        Aligned with scale if the run has none; without ground truth, or without common stamps, the last two are None.
        Frames without ground truth have the error NaN.
        """
        try:
            points, truth = in_first_camera(self.trajectory, self.truth, bool(self.summary.get("scale_known")))
        except TrajectoryError:
            return self.trajectory.positions, None, None
        if self.truth is None or truth is None:
            return points, None, None
        paired, _ = associate(self.trajectory, self.truth)
        errors = np.full(len(points), np.nan)
        is_paired = np.isin(self.trajectory.stamps_ns, paired.stamps_ns)
        errors[is_paired] = np.linalg.norm(points[is_paired] - truth, axis=1)
        return points, truth, errors

    def column(self, name: str) -> Array:
        """(N,) values of a field of all frames; NaN where it is missing."""
        values = [frame.get(name) for frame in self.frames]
        return np.array([np.nan if value is None else float(value) for value in values])
