"""The sequences of bench/odometry.py: recordings with ground truth, by mode and stride."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from data import RECORDINGS, BenchError, recording

from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.ate import associate
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.config import Mode
from loftr_ros.sequences.formats import open_sequence
from loftr_ros.sequences.sequence import Sequence as FrameSequence

MIN_FRAMES = 5  # an alignment fits fewer poses to the ground truth whatever they are
MODES: dict[str, tuple[Mode, ...]] = {
    "kitti06": ("mono", "stereo"),
    "euroc": ("stereo",),  # the drone does not move, so monocular odometry is undefined
    "corridor": ("mono", "rgbd"),
    "kitchen": ("mono", "rgbd"),
    "desk": ("mono", "rgbd"),
}


@dataclass(frozen=True)
class BenchmarkSequence:
    """A recording in one mode: one table of the report.

    Attributes:
        source: path of the recording.
        sequence: all frames.
        mode: odometry mode.
        truth: ground truth poses of the camera at the frames that have one.
        strides: strides that leave enough frames.
    """

    source: Path
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


def open_sequences(
    names: Sequence[str], modes: Sequence[Mode], strides: Sequence[int]
) -> tuple[list[BenchmarkSequence], list[str]]:
    """Open recordings in all their modes; return also the reasons why some are skipped.

    Args:
        names: names in `data.RECORDINGS`, or folders of sequences.
        modes: modes to use.
        strides: see `BenchmarkSequence`.

    Raises:
        BenchError: the data folder is missing, or nothing can be measured.
    """
    sequences, skipped = [], []
    for name, mode in _wanted(names, modes):
        path = recording(name)
        try:
            sequence = _open(name, mode, strides)
        except LoftrRosError as error:
            skipped.append(f"{name}, {mode}: {error}".replace(str(path), path.name))
        else:
            sequences.append(sequence)
            skipped += [
                f"{name}, {mode}, stride {stride}: fewer than {MIN_FRAMES} frames."
                for stride in strides
                if stride not in sequence.strides
            ]
    if not sequences:
        raise BenchError(f"Nothing to measure. {' '.join(skipped)}")
    return sequences, skipped


def _wanted(names: Sequence[str], modes: Sequence[Mode]) -> Iterator[tuple[str, Mode]]:
    for name in names:
        for mode in MODES[name] if name in RECORDINGS else get_args(Mode):
            if mode in modes:
                yield name, mode


def _open(name: str, mode: Mode, strides: Sequence[int]) -> BenchmarkSequence:
    sequence = open_sequence(recording(name), mode)
    if sequence.ground_truth is None:
        raise BenchError(f"{sequence.name} has no ground truth to measure against.")
    enough = tuple(stride for stride in strides if len(sequence.every(stride)) >= MIN_FRAMES)
    if not enough:
        raise BenchError(f"{sequence.name} has {len(sequence)} frames, fewer than {MIN_FRAMES} at every stride.")
    stamps = np.array([entry.stamp_ns for entry in sequence.entries], np.int64)
    _, truth = associate(Trajectory(stamps, np.tile(np.eye(4), (len(stamps), 1, 1))), sequence.ground_truth)
    return BenchmarkSequence(recording(name), sequence, mode, truth, enough)
