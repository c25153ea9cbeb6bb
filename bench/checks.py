#!/usr/bin/env python3
"""Processor time of each input check on the first frames of recordings.

OMP_NUM_THREADS=1 python bench/checks.py                                  50 frames of each
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
MODES: dict[str, Mode] = {"kitti06": "stereo", "corridor": "rgbd", "kitchen": "rgbd"}
CHECKS = "loftr_ros.odometry.checks"  # the package


@dataclass(frozen=True)
class ChecksReport:
    """The table of one recording: processor time of each call by check; `InputChecks` is the total."""

    heading: str
    frames: int
    calls_ms: dict[str, list[float]]

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["check", "calls", "ms per frame", "longest call, ms"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per check, the most expensive first."""
        rows = sorted(self.calls_ms.items(), key=lambda row: -sum(row[1]))
        return [[name, str(len(ms)), f"{sum(ms) / self.frames:.2f}", f"{max(ms):.2f}"] for name, ms in rows]


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=positive_int, default=50, metavar="N", help="default: 50")
    program.add_output_argument(parser)
    args = parser.parse_args(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _run(args: argparse.Namespace, command: str) -> Report:
    loftr = load_matcher()
    calls_ms: dict[str, list[float]] = defaultdict(list)
    for check in [c for c in vars(input_checks).values() if getattr(c, "__module__", "").startswith(CHECKS)]:
        for event in [name for name in vars(check) if name.startswith("add")]:
            setattr(check, event, _timed(getattr(check, event), calls_ms, check.__name__))
    tables = []
    for name, mode in MODES.items():
        sequence, odometry = open_sequence(recording(name), mode), VisualOdometry(loftr, OdometryConfig(mode=mode))
        count = min(args.frames, len(sequence))
        for index in range(count):
            odometry.process(sequence[index])
        tables.append(ChecksReport(f"{name}, {mode}, {count} frames", count, dict(calls_ms)))
        calls_ms.clear()
        program.table_console().print(rich_table(tables[-1]))
    return Report(PROGRAM, command, network_machine(loftr.device, loftr.model.dtype), tables)


def _timed(method: Any, calls_ms: dict[str, list[float]], name: str) -> Any:
    def call(*args: Any) -> None:
        start = thread_time()
        method(*args)
        calls_ms[name].append(1e3 * (thread_time() - start))

    return call


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
