#!/usr/bin/env python3
"""Cost of the odometry without the matcher, by stage, on one core: rendered images, matches from an oracle.

A camera drives through the room of the demo; the first round, which computes the matches, is not counted. The CPU time
is that of all threads; on a loaded machine it is more reliable than the wall-clock time.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python bench/engine.py
    python bench/engine.py --modes stereo --profile          and a profile by function
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from time import perf_counter, process_time
from typing import get_args

import numpy as np
import program
from image_pairs import pinhole
from oracle_matcher import OracleMatcher, room_frames
from report import Report, machine, rich_table

from loftr_ros.commands.arguments import positive_int
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.visual_odometry import VisualOdometry

PROGRAM = "engine.py"
MATCHER_STAGES = ("extract", "match")  # only lookups of the matches of the first round
ROUNDS = 2
PROFILE_LINES = 150


@dataclass(frozen=True)
class Cost:
    """Cost of one mode, milliseconds by stage and per frame.

    Attributes:
        name: the mode.
        refinement: with sub-pixel refinement.
        keyframes: share of keyframes, percent.
        matches: matches used per frame, median.
        stages: (median, 95th percentile) over the frames that had the stage.
        frame: (median, 95th percentile) of whole frames, including microseconds for the match lookup.
        mean: mean of whole frames; unlike the median, it includes the share of keyframes.
        processor: CPU time of whole frames, (median, 95th percentile).
    """

    name: str
    refinement: bool
    keyframes: float
    matches: float
    stages: dict[str, tuple[float, float]]
    frame: tuple[float, float]
    mean: float
    processor: tuple[float, float]


@dataclass(frozen=True)
class CostReport:
    """The table."""

    title: str
    costs: Sequence[Cost]

    @property
    def heading(self) -> str:
        """Title of the table."""
        return self.title

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["mode", "refinement", "matches", "keyframes %", *self._stages, "frame", "mean", "processor"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per mode, with and without sub-pixel refinement; median / 95th percentile."""
        return [self._row(cost) for cost in self.costs]

    @property
    def _stages(self) -> list[str]:
        return list(dict.fromkeys(stage for cost in self.costs for stage in cost.stages))

    def _row(self, cost: Cost) -> list[str]:
        stages = [_figures(cost.stages[stage]) if stage in cost.stages else "-" for stage in self._stages]
        counts = [f"{cost.matches:.0f}", f"{cost.keyframes:.0f}"]
        return [
            cost.name,
            "on" if cost.refinement else "off",
            *counts,
            *stages,
            _figures(cost.frame),
            f"{cost.mean:.1f}",
            _figures(cost.processor),
        ]


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    args = _parse(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", nargs="+", choices=get_args(Mode), default=get_args(Mode), help="default: all")
    parser.add_argument("--matches", type=positive_int, default=1000, metavar="N", help="a frame (default: 1000)")
    parser.add_argument("--frames", type=positive_int, default=60, metavar="N", help="of the loop, up to 255")
    parser.add_argument(
        "--loops",
        nargs="+",
        type=positive_int,
        default=(200, 800),
        metavar="N",
        help="frames in a loop: fewer are faster",
    )
    parser.add_argument("--size", nargs=2, type=positive_int, default=(640, 480), metavar=("W", "H"))
    parser.add_argument("--threads", type=positive_int, default=1, help="of OpenCV (default: 1)")
    parser.add_argument("--profile", action="store_true", help="print the functions that take the most time")
    program.add_output_argument(parser)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace, command: str) -> Report:
    program.set_threads(args.threads)
    width, height = args.size
    tables = []
    for loop in args.loops:
        frames, poses = room_frames(args.frames, pinhole(width, height), loop)
        matcher = OracleMatcher(frames, poses, args.matches)
        costs = [
            _cost(frames, matcher, mode, refinement, args.profile)
            for mode in args.modes
            for refinement in (True, False)
        ]
        pace = f"{16 / loop:.2g} m and {360 / loop:.2g} degrees per frame"
        title = f"{args.matches} matches per frame, {width} x {height}, {pace}; median / 95th percentile"
        tables.append(CostReport(title, costs))
    report = Report(PROGRAM, command, machine(), tables)
    console = program.table_console()
    console.print("; ".join(f"{name} {value}" for name, value in report.machine.items()))
    for table in report.tables:
        console.print(rich_table(table))
    return report


def _cost(frames: list[Frame], matcher: OracleMatcher, mode: Mode, refinement: bool, profiled: bool) -> Cost:
    """Run once to compute the matches, then time `ROUNDS` runs."""
    config = OdometryConfig(mode=mode, subpixel_refinement=refinement)
    _run_odometry(frames, matcher, config)
    profile = cProfile.Profile(process_time)
    with profile if profiled else nullcontext():
        estimates = [one for _ in range(ROUNDS) for one in _run_odometry(frames, matcher, config)]
    if profiled:
        print(f"\n{mode}, refinement {'on' if refinement else 'off'}")
        pstats.Stats(profile).sort_stats("cumulative").print_stats("loftr_ros|{", PROFILE_LINES)
    timings = [estimate.timings_ms for estimate, _, _ in estimates]
    stages = dict.fromkeys(stage for timing in timings for stage in timing if stage not in MATCHER_STAGES)
    return Cost(
        mode,
        refinement,
        100.0 * float(np.mean([estimate.is_keyframe for estimate, _, _ in estimates])),
        float(np.median([estimate.num_matches for estimate, _, _ in estimates])),
        {stage: _summary([timing[stage] for timing in timings if stage in timing]) for stage in stages},
        _summary([clock for _, clock, _ in estimates]),
        float(np.mean([clock for _, clock, _ in estimates])),
        _summary([processor for _, _, processor in estimates]),
    )


def _run_odometry(
    frames: list[Frame], matcher: OracleMatcher, config: OdometryConfig
) -> list[tuple[OdometryEstimate, float, float]]:
    """Return all estimates but the first, each with its wall-clock and CPU time in milliseconds."""
    odometry = VisualOdometry(matcher, config)
    odometry.process(frames[0])
    results = []
    for frame in frames[1:]:
        clock, processor = perf_counter(), process_time()
        estimate = odometry.process(frame)
        results.append((estimate, 1e3 * (perf_counter() - clock), 1e3 * (process_time() - processor)))
    return results


def _summary(milliseconds: Sequence[float]) -> tuple[float, float]:
    median, tail = np.percentile(milliseconds, [50, 95])
    return float(median), float(tail)


def _figures(summary: tuple[float, float]) -> str:
    return "{:.1f} / {:.1f}".format(*summary)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
