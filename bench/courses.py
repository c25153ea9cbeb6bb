"""What the odometry drives through: recordings with ground truth, by mode and stride."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from data import RECORDINGS, BenchError, recording

from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.ate import associate
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.config import Mode
from loftr_ros.sequences.formats import open_sequence
from loftr_ros.sequences.sequence import Sequence as FrameSequence

LEAST_FRAMES = 5  # fewer poses fit the truth whatever they are, once they are aligned
MODES: dict[str, tuple[Mode, ...]] = {
    "kitti06": ("mono", "stereo"),
    "euroc": ("stereo",),  # of a drone that stands still a single camera tells nothing
    "corridor": ("mono", "rgbd"),
    "kitchen": ("mono", "rgbd"),
    "desk": ("mono", "rgbd"),
}


@dataclass(frozen=True)
class Course:
    """One mode of a recording: one table of the report.

    Attributes:
        sequence: all frames.
        mode: how to use them.
        truth: where the camera was at those frames of which it is known.
        strides: at which enough frames are left.
    """

    sequence: FrameSequence
    mode: Mode
    truth: Trajectory
    strides: tuple[int, ...]

    @property
    def title(self) -> str:
        """Name and mode."""
        return f"{self.sequence.name}, {self.mode}"

    @property
    def frames(self) -> int:
        """Number of frames over all strides."""
        return sum(len(self.sequence.every(stride)) for stride in self.strides)


def open_courses(names: Sequence[str], modes: Sequence[Mode], strides: Sequence[int]) -> tuple[list[Course], list[str]]:
    """Open all modes of recordings; those that cannot be opened are told in sentences.

    Args:
        names: of `data.RECORDINGS`, or folders of sequences.
        modes: those of other modes are left out.
        strides: see `Course`.

    Raises:
        BenchError: the data folder is missing, or nothing is left.
    """
    courses, skipped = [], []
    for name, mode in _wanted(names, modes):
        path = recording(name)
        try:
            course = _open(name, mode, strides)
        except LoftrRosError as error:
            skipped.append(f"{name}, {mode}: {error}".replace(str(path), path.name))
        else:
            courses.append(course)
            skipped += [
                f"{name}, {mode}, stride {stride}: fewer than {LEAST_FRAMES} frames."
                for stride in strides
                if stride not in course.strides
            ]
    if not courses:
        raise BenchError(f"Nothing is left to measure. {' '.join(skipped)}")
    return courses, skipped


def _wanted(names: Sequence[str], modes: Sequence[Mode]) -> Iterator[tuple[str, Mode]]:
    for name in names:
        for mode in MODES[name] if name in RECORDINGS else get_args(Mode):
            if mode in modes:
                yield name, mode


def _open(name: str, mode: Mode, strides: Sequence[int]) -> Course:
    sequence = open_sequence(recording(name), mode)
    if sequence.ground_truth is None:
        raise BenchError(f"{sequence.name} has no ground truth to measure against.")
    enough = tuple(stride for stride in strides if len(sequence.every(stride)) >= LEAST_FRAMES)
    if not enough:
        raise BenchError(f"{sequence.name} has {len(sequence)} frames, fewer than {LEAST_FRAMES} at every stride.")
    stamps = np.array([entry.stamp_ns for entry in sequence.entries], np.int64)
    _, truth = associate(Trajectory(stamps, np.tile(np.eye(4), (len(stamps), 1, 1))), sequence.ground_truth)
    return Course(sequence, mode, truth, enough)
