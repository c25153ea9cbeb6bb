#!/usr/bin/env python3
"""Sensitivity of the odometry to each constant of the estimator and each parameter: half of it, and twice as much.

The constants are varied one at a time, over recorded sequences and rendered ones with an oracle for the matches. The
matches of the network are computed once. For comparison, the same with random 5 % of the matches left out.

OMP_NUM_THREADS=1 python bench/sensitivity.py --output docs/sensitivity.md
OMP_NUM_THREADS=1 python bench/sensitivity.py --only odometry.tracking     constants whose names begin so
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Generic

import numpy as np
import program
from constants import Constant, estimator_constants, varied
from image_pairs import pinhole
from numpy.typing import NDArray
from oracle_matcher import OracleMatcher, room_frames
from report import Report, decimal, network_machine, rich_table
from sequences import open_sequences

from loftr_ros import Frame, OdometryConfig, VisualOdometry, load_matcher
from loftr_ros.evaluation.ate import evaluate
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.matches import FeaturesT, Matcher, Matches
from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.states import TrackingState

PROGRAM = "sensitivity.py"
# Recording, mode, stride and number of frames.
RECORDED: tuple[tuple[str, Mode, int, int], ...] = (
    ("kitti06", "stereo", 1, 30),
    ("kitti06", "mono", 3, 17),
    ("corridor", "mono", 1, 40),
    ("corridor", "rgbd", 3, 60),
    ("kitchen", "mono", 2, 30),
    ("kitchen", "rgbd", 4, 20),
    ("desk", "rgbd", 1, 9),
)
RENDERED_MODES: tuple[Mode, ...] = ("mono", "stereo", "rgbd")
RENDERED_FRAMES, RENDERED_MATCHES = 40, 600
FACTORS = 0.5, 2.0
SEEDS, LEFT_OUT = 4, 0.05  # of the comparison
_DOES_NOT_RUN = ["", "does not run", "", "", ""]


class CachedMatcher(Generic[FeaturesT]):
    """Matches each pair of images once; leaves out a random share of the matches where a seed is set.

    Attributes:
        seed: of the matches to leave out; None: use all.
    """

    def __init__(self, matcher: Matcher[FeaturesT]) -> None:
        """Wrap a matcher."""
        self._matcher = matcher
        self._features: dict[bytes, FeaturesT] = {}
        self._matches: dict[tuple[bytes, bytes], Matches] = {}
        self.seed: int | None = None

    def extract(self, image: NDArray[np.uint8]) -> bytes:
        """Extract the features of an image once; the result is the key to them."""
        key = image.tobytes()
        if key not in self._features:
            self._features[key] = self._matcher.extract(image)
        return key

    def match(self, features_a: bytes, features_b: bytes) -> Matches:
        """Match two images by their keys."""
        pair = features_a, features_b
        if pair not in self._matches:
            self._matches[pair] = self._matcher.match(self._features[features_a], self._features[features_b])
        matches = self._matches[pair]
        if self.seed is None:
            return matches
        return matches.select(np.random.default_rng(self.seed).random(len(matches)) >= LEFT_OUT)


@dataclass(frozen=True)
class Clip:
    """Frames in one mode, and their ground truth."""

    name: str
    mode: Mode
    frames: list[Frame]
    truth: Trajectory
    matcher: CachedMatcher[Any]


@dataclass(frozen=True)
class Figures:
    """Result of a clip.

    Attributes:
        error: ATE, percent of the path.
        rotation: error per frame, degrees.
        sigma: standard deviation of the position, median over the frames.
        lost: number of lost frames.
    """

    error: float
    rotation: float
    sigma: float
    lost: int


@dataclass(frozen=True)
class Change:
    """Figures of all clips against those without the change."""

    before: list[Figures]
    after: list[Figures]
    names: list[str]

    def largest(self, figure: str) -> tuple[float, str]:
        """Return the ratio of a figure that is furthest from 1, and the name of its clip."""
        ratios = [
            (getattr(after, figure) / getattr(before, figure), name)
            for before, after, name in zip(self.before, self.after, self.names, strict=True)
        ]
        return max(ratios, key=lambda entry: abs(math.log(max(entry[0], 1e-9))))

    @property
    def mean_error(self) -> float:
        """Geometric mean of the ratios of the errors."""
        logs = [math.log(b.error / a.error) for a, b in zip(self.before, self.after, strict=True)]
        return math.exp(sum(logs) / len(logs))

    @property
    def lost(self) -> int:
        """Number of frames lost more than before."""
        return sum(figures.lost for figures in self.after) - sum(figures.lost for figures in self.before)

    @property
    def cells(self) -> list[str]:
        """Mean and largest ratio of the errors, ratio of rotation errors and sigmas, lost frames."""
        (error, clip), (rotation, _), (sigma, _) = map(self.largest, ("error", "rotation", "sigma"))
        return [
            decimal(self.mean_error, 2),
            f"{decimal(error, 2)} ({clip})",
            decimal(rotation, 2),
            decimal(sigma, 2),
            f"{self.lost:+d}" if self.lost else "",
        ]


@dataclass(frozen=True)
class Row:
    """A constant or parameter, one value of it, and what it changes; None if the odometry does not run with it."""

    name: str
    value: str
    change: Change | None


@dataclass(frozen=True)
class SensitivityReport:
    """The table: one row for each value."""

    heading: str
    rows: Sequence[Row]

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["constant", "value", "mean ATE", "largest change of the ATE", "rotation", "sigma", "lost frames"]

    @property
    def cells(self) -> list[list[str]]:
        """One row each."""
        return [[row.name, row.value, *(row.change.cells if row.change else _DOES_NOT_RUN)] for row in self.rows]


def recorded_clips(matcher: Matcher[Any]) -> list[Clip]:
    """Load the recorded sequences. Raises BenchError if the data folder is missing."""
    cached, clips = CachedMatcher(matcher), []
    for name, mode, stride, count in RECORDED:
        (benchmark,), _ = open_sequences([name], [mode], [stride])
        sequence = benchmark.sequence.every(stride)
        frames = [sequence[index] for index in range(min(count, len(sequence)))]
        clips.append(Clip(f"{name} {mode} /{stride}", mode, frames, benchmark.truth, cached))
    return clips


def rendered_clips() -> list[Clip]:
    """Render the room of the demo, in all modes."""
    frames, poses = room_frames(RENDERED_FRAMES, pinhole(320, 240))
    cached = CachedMatcher(OracleMatcher(frames, poses, RENDERED_MATCHES))
    truth = Trajectory(np.array([frame.stamp_ns for frame in frames], np.int64), poses)
    seen: dict[Mode, list[Frame]] = {
        "mono": [replace(frame, right=None, depth=None, rig=None) for frame in frames],
        "stereo": [replace(frame, depth=None) for frame in frames],
        "rgbd": [replace(frame, right=None, rig=None) for frame in frames],
    }
    return [Clip(f"room {mode}", mode, seen[mode], truth, cached) for mode in RENDERED_MODES]


def figures_of(clip: Clip, changes: dict[str, Any]) -> Figures:
    """Run a clip with changed parameters."""
    odometry = VisualOdometry(clip.matcher, OdometryConfig(mode=clip.mode, **changes))
    estimates = [odometry.process(frame) for frame in clip.frames]
    stamps = np.array([estimate.stamp_ns for estimate in estimates], np.int64)
    trajectory = Trajectory(stamps, np.array([estimate.T_odom_camera for estimate in estimates]))
    errors = evaluate(trajectory, clip.truth, with_scale=clip.mode == "mono")
    sigma = float(np.median([np.sqrt(np.trace(estimate.pose_covariance[:3, :3])) for estimate in estimates]))
    lost = sum(estimate.state is TrackingState.LOST for estimate in estimates)
    return Figures(errors.ate_percent, errors.rotation_mean_deg, sigma, lost)


def variations(only: str) -> list[tuple[str, str, AbstractContextManager[None], dict[str, Any]]]:
    """Return name, value, context of the change, and changed parameters, of each variation."""
    found: list[tuple[str, str, AbstractContextManager[None], dict[str, Any]]] = []
    for constant in estimator_constants():
        for factor in FACTORS:
            value = constant.scaled(factor)
            found.append((constant.label, _described(constant, value), varied(constant, value), {}))
    for field in fields(OdometryConfig):
        if isinstance(field.default, float) and field.default > 0:
            parameter = Constant("loftr_ros.parameter", field.name, field.default)
            found += [
                (parameter.label, _described(parameter, value), nullcontext(), {field.name: value})
                for value in map(parameter.scaled, FACTORS)
            ]
    return [entry for entry in found if entry[0].startswith(only)]


def _described(constant: Constant, value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"x {value.ravel()[0] / constant.value.ravel()[0]:g}"
    return f"{constant.value:.4g} → {value:.4g}"


def _run(only: str, command: str) -> Report:
    loftr = load_matcher()
    clips = recorded_clips(loftr) + rendered_clips()
    before = [figures_of(clip, {}) for clip in clips]
    rows = [Row("matches left out", f"{LEFT_OUT:.0%}, {seed}", change) for seed, change in _chance(clips, before)]
    with program.progress_bar() as bar:
        for name, value, context, changes in bar.track(variations(only), description="variations"):
            with context:
                rows.append(Row(name, value, _change(clips, before, changes)))
    table = SensitivityReport("Ratios of the figures with a changed constant to those without", rows)
    program.table_console().print(rich_table(table))
    return Report(PROGRAM, command, network_machine(loftr.device, loftr.model.dtype), [table])


def _change(clips: list[Clip], before: list[Figures], changes: dict[str, Any]) -> Change | None:
    try:
        return Change(before, [figures_of(clip, changes) for clip in clips], [clip.name for clip in clips])
    except Exception:  # whatever a constant breaks that is no quantity, such as a number of axes
        return None


def _chance(clips: list[Clip], before: list[Figures]) -> list[tuple[int, Change | None]]:
    """Changes by random matches left out, for each seed."""
    found = []
    for seed in range(SEEDS):
        for clip in clips:
            clip.matcher.seed = seed
        found.append((seed, _change(clips, before, {})))
    for clip in clips:
        clip.matcher.seed = None
    return found


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="NAME", help="beginning of the names of the constants to vary")
    program.add_output_argument(parser)
    args = parser.parse_args(argv)
    measure: Callable[[], Report] = partial(_run, args.only, program.command_line(PROGRAM, argv))
    return program.run(PROGRAM, measure, args.output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
