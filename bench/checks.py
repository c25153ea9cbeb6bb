#!/usr/bin/env python3
"""Processor time of each input check on recordings: on the first frames, and on all.

OMP_NUM_THREADS=1 python bench/checks.py                                  50 frames, and each whole recording
OMP_NUM_THREADS=1 python bench/checks.py --output docs/benchmarks.md      and update the tables there
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import thread_time
from typing import Any

import program
from data import recording
from report import Report, network_machine, rich_table

from loftr_ros import OdometryConfig, VisualOdometry, load_matcher, open_sequence
from loftr_ros.commands.arguments import positive_int
from loftr_ros.odometry.checks import input_checks
from loftr_ros.odometry.config import Mode

PROGRAM = "checks.py"
RUNS: tuple[tuple[str, Mode], ...] = (
    ("kitti06", "stereo"),
    ("corridor", "rgbd"),
    ("kitchen", "rgbd"),
    ("kitti06", "mono"),
    ("corridor", "mono"),
)
CHECKS = "loftr_ros.odometry.checks"  # the package


class _Clock:
    """Processor time of each call by check, and the index of its frame."""

    def __init__(self) -> None:
        self.frame = 0
        self.calls: dict[str, list[tuple[int, float]]] = defaultdict(list)

    def timed(self, method: Any, name: str) -> Any:
        def call(*args: Any) -> Any:
            start = thread_time()
            result = method(*args)
            self.calls[name].append((self.frame, 1e3 * (thread_time() - start)))
            return result

        return call


@dataclass(frozen=True)
class ChecksReport:
    """The table of one recording: times of each check; `InputChecks` is the total, with its warnings."""

    heading: str
    first: int
    frames: int
    calls: dict[str, list[tuple[int, float]]]

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        frames = f"ms per frame, first {self.first}"
        return ["check", "calls", frames, f"all {self.frames}", "longest call, ms"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per check, the most expensive on the first frames first."""
        rows = []
        for name, calls in self.calls.items():
            first = sum(ms for frame, ms in calls if frame < self.first) / self.first
            mean, longest = sum(ms for _, ms in calls) / self.frames, max(ms for _, ms in calls)
            rows.append((first, [name, str(len(calls)), f"{first:.2f}", f"{mean:.2f}", f"{longest:.2f}"]))
        return [cells for _, cells in sorted(rows, key=lambda row: -row[0])]


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=positive_int, default=50, metavar="N", help="first frames; default: 50")
    parser.add_argument("--only-first", action="store_true", help="do not run the whole recordings")
    program.add_output_argument(parser)
    args = parser.parse_args(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _run(args: argparse.Namespace, command: str) -> Report:
    loftr, clock = load_matcher(), _Clock()
    for check in [c for c in vars(input_checks).values() if getattr(c, "__module__", "").startswith(CHECKS)]:
        for event in [name for name in vars(check) if name.startswith("add")]:
            setattr(check, event, clock.timed(getattr(check, event), check.__name__))
    total = input_checks.InputChecks
    total.length_sigma = clock.timed(total.length_sigma, total.__name__)  # type: ignore[method-assign]
    total.warnings = property(clock.timed(vars(total)["warnings"].fget, total.__name__))  # type: ignore[assignment]
    tables = []
    for name, mode in RUNS:
        sequence, odometry = open_sequence(recording(name), mode), VisualOdometry(loftr, OdometryConfig(mode=mode))
        first = min(args.frames, len(sequence))
        count = first if args.only_first else len(sequence)
        for clock.frame in range(count):
            odometry.process(sequence[clock.frame])
        tables.append(ChecksReport(f"{name}, {mode}", first, count, dict(clock.calls)))
        clock.calls.clear()
        program.table_console().print(rich_table(tables[-1]))
    return Report(PROGRAM, command, network_machine(loftr.device, loftr.model.dtype), tables)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
