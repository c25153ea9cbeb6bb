"""Evaluation loop of bench/odometry.py: one method on one sequence, and the table of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from methods import Method
from report import decimal
from sequences import BenchmarkSequence
from stopwatch import TimedMatcher, timed

from loftr_ros.evaluation.ate import TrajectoryErrors, evaluate
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.states import TrackingState

_MIN_PATH_M = 0.1  # a shorter path is noise: errors are not given relative to it
HEADER = ("ATE m", "ATE %", "rotation°", "RPE m", "lost %", "still %", "frame ms", "engine ms", "frames")


@dataclass(frozen=True)
class Run:
    """One method at one stride.

    Attributes:
        name: name of the method.
        stride: every stride-th frame is used.
        frames: number of frames.
        errors: trajectory errors, aligned with scale for a single camera.
        lost, still: share of frames in the states LOST and STATIONARY, percent.
        frame_ms: milliseconds per frame, median without the first (warm-up).
        engine_ms: likewise, without the matcher.
    """

    name: str
    stride: int
    frames: int
    errors: TrajectoryErrors
    lost: float
    still: float
    frame_ms: float
    engine_ms: float


def run_odometry(
    benchmark: BenchmarkSequence, stride: int, method: Method, advance: Callable[[], None]
) -> tuple[Run, Trajectory]:
    """Run a method over a sequence, and return its poses, too; `advance` is called after each frame."""
    sequence = benchmark.sequence.every(stride)
    matcher = TimedMatcher(method.matcher)
    odometry = method.start(matcher, benchmark.mode)
    poses, states, frame_ms, engine_ms = [], [], [], []
    for frame in sequence:
        matcher_before_ms = matcher.total_ms
        estimate, milliseconds = timed(lambda: odometry.process(frame))  # noqa: B023
        poses.append(estimate.T_odom_camera)
        states.append(estimate.state)
        frame_ms.append(milliseconds)
        engine_ms.append(milliseconds - (matcher.total_ms - matcher_before_ms))
        advance()
    stamps = np.array([entry.stamp_ns for entry in sequence.entries], np.int64)
    trajectory = Trajectory(stamps, np.array(poses))
    run = Run(
        method.name,
        stride,
        len(sequence),
        evaluate(trajectory, benchmark.truth, with_scale=benchmark.mode == "mono"),
        100.0 * states.count(TrackingState.LOST) / len(states),
        100.0 * states.count(TrackingState.STATIONARY) / len(states),
        float(np.median(frame_ms[1:])),
        float(np.median(engine_ms[1:])),
    )
    return run, trajectory


@dataclass(frozen=True)
class SequenceReport:
    """The table of one sequence."""

    title: str
    path_m: float
    runs: Sequence[Run]

    @property
    def heading(self) -> str:
        """Title and length of the path."""
        return f"{self.title} ({self.path_m:.2f} m)"

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["method", "stride", *HEADER]

    @property
    def cells(self) -> list[list[str]]:
        """One row per run."""
        return [_cells(run) for run in self.runs]


def _cells(run: Run) -> list[str]:
    errors = run.errors
    percent = errors.ate_percent if errors.path_m > _MIN_PATH_M else float("nan")
    return [
        run.name,
        str(run.stride),
        decimal(errors.ate_m, 3),
        decimal(percent, 2),
        decimal(errors.rotation_mean_deg, 3),
        decimal(errors.translation_mean_m, 4),
        decimal(run.lost, 0),
        decimal(run.still, 0),
        decimal(run.frame_ms, 0),
        decimal(run.engine_ms, 1),
        str(run.frames),
    ]
