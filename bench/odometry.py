#!/usr/bin/env python3
"""How well the odometry keeps its track, fed by LoFTR, by ORB and by SIFT, and against OpenCV's plain recipe.

All of them on the same frames in one run. The data is the folder that LOFTR_ROS_DATA names.

    python bench/odometry.py                                        everything
    python bench/odometry.py --sequences desk kitti06 --strides 5   a quick look
    python bench/odometry.py --output docs/benchmarks.md            and rewrite the tables there
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import program
from contestants import METHODS, contestants
from courses import MODES, open_courses
from drives import CourseReport, drive
from report import Report, network_machine, rich_table

from loftr_ros.commands.arguments import positive_int
from loftr_ros.loftr.runtime.matcher import load_matcher
from loftr_ros.odometry.config import Mode

PROGRAM = "odometry.py"
STRIDES = (1, 2, 3, 5)


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for an error of the user's."""
    args = _parse(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sequences",
        nargs="+",
        default=tuple(MODES),
        metavar="NAME",
        help=f"of {', '.join(MODES)}, or folders of sequences with ground truth (default: all these names)",
    )
    parser.add_argument("--modes", nargs="+", choices=get_args(Mode), default=get_args(Mode), help="default: all")
    parser.add_argument(
        "--strides", nargs="+", type=positive_int, default=STRIDES, metavar="N", help="default: 1 2 3 5"
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="default: all")
    program.add_matcher_arguments(parser)
    program.add_output_argument(parser)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace, command: str) -> Report:
    program.set_threads(args.threads)
    courses, skipped = open_courses(args.sequences, args.modes, args.strides)
    for reason in skipped:
        print(f"{PROGRAM}: skipped {reason}", file=sys.stderr)
    loftr = load_matcher(args.checkpoint, args.device)
    drivers = contestants(args.methods, loftr, Path(args.checkpoint).stem)
    facts = network_machine(loftr.device, loftr.model.dtype)
    console = program.table_console()
    for name, value in facts.items():
        console.print(f"{name}: {value}", highlight=False)
    tables = []
    with program.progress_bar() as bar:
        task = bar.add_task("", total=len(drivers) * sum(course.frames for course in courses))
        for course in courses:
            drives = []
            for stride in course.strides:
                for driver in drivers:
                    bar.update(task, description=f"{course.title}, stride {stride}, {driver.name}")
                    drives.append(drive(course, stride, driver, lambda: bar.advance(task)))
            table = CourseReport(course.title, course.truth.length, drives)
            bar.console.print()
            console.print(rich_table(table))
            tables.append(table)
    return Report(PROGRAM, command, facts, tables, [f"Left out: {reason}" for reason in skipped])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
