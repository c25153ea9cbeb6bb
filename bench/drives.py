"""The loop: one contestant over one course, timed, counted and compared with the truth; and the table of a course."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from contestants import Contestant
from courses import Course
from report import decimal
from stopwatch import TimedMatcher, timed

from loftr_ros.evaluation.ate import TrajectoryErrors, evaluate
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.states import TrackingState

# The length of a shorter path is noise, and nothing to be a share of, metres.
_LEAST_PATH_M = 0.1
HEADER = ("ATE m", "ATE %", "rotation°", "RPE m", "lost %", "still %", "frame ms", "engine ms", "frames")


@dataclass(frozen=True)
class Drive:
    """One contestant at one stride.

    Attributes:
        name: of the contestant.
        stride: between frames.
        frames: how many there were.
        errors: see `TrajectoryErrors`; aligned with a scale for a single camera.
        lost, still: shares of the frames in the states LOST and STATIONARY, per cent.
        frame_ms: milliseconds of a frame, median without the first, which warms up.
        engine_ms: those without the matcher, likewise.
    """

    name: str
    stride: int
    frames: int
    errors: TrajectoryErrors
    lost: float
    still: float
    frame_ms: float
    engine_ms: float


def drive(course: Course, stride: int, contestant: Contestant, advance: Callable[[], None]) -> Drive:
    """Drive a course; `advance` is called after each frame."""
    sequence = course.sequence.every(stride)
    matcher = TimedMatcher(contestant.matcher)
    odometry = contestant.start(matcher, course.mode)
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
    return Drive(
        contestant.name,
        stride,
        len(sequence),
        evaluate(Trajectory(stamps, np.array(poses)), course.truth, with_scale=course.mode == "mono"),
        100.0 * states.count(TrackingState.LOST) / len(states),
        100.0 * states.count(TrackingState.STATIONARY) / len(states),
        float(np.median(frame_ms[1:])),
        float(np.median(engine_ms[1:])),
    )


@dataclass(frozen=True)
class CourseReport:
    """The table of one course."""

    title: str
    path_m: float
    drives: Sequence[Drive]

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
        """One row a drive."""
        return [_cells(drive) for drive in self.drives]


def _cells(drive: Drive) -> list[str]:
    errors = drive.errors
    percent = errors.ate_percent if errors.path_m > _LEAST_PATH_M else float("nan")
    return [
        drive.name,
        str(drive.stride),
        decimal(errors.ate_m, 3),
        decimal(percent, 2),
        decimal(errors.rotation_mean_deg, 3),
        decimal(errors.translation_mean_m, 4),
        decimal(drive.lost, 0),
        decimal(drive.still, 0),
        decimal(drive.frame_ms, 0),
        decimal(drive.engine_ms, 1),
        str(drive.frames),
    ]
