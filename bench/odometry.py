#!/usr/bin/env python3
"""Accuracy of the odometry with LoFTR, ORB and SIFT matches, and of a pipeline of OpenCV functions.

All methods run on the same frames. LOFTR_ROS_DATA names the data folder.

    python bench/odometry.py                                        everything
    python bench/odometry.py --sequences desk kitti06 --strides 5   a quick look
    python bench/odometry.py --output docs/benchmarks.md            and update the tables there
    python bench/odometry.py --program "ORB-SLAM3=/opt/orb/bin/python orbslam3.py {source} {mode} {stride} {output}"
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import program
from methods import METHODS, select_methods
from other_programs import OtherProgram, rows
from report import Report, network_machine, rich_table
from runs import SequenceReport, run_odometry
from sequences import MODES, open_sequences

from loftr_ros.commands.arguments import positive_int
from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.runtime.matcher import load_matcher
from loftr_ros.odometry.config import Mode

PROGRAM = "odometry.py"
STRIDES = (1, 2, 3, 5)


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    args = _parse(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sequences",
        nargs="+",
        default=tuple(MODES),
        metavar="NAME",
        help=f"any of {', '.join(MODES)}, or folders of sequences with ground truth (default: all of these names)",
    )
    parser.add_argument("--modes", nargs="+", choices=get_args(Mode), default=get_args(Mode), help="default: all")
    parser.add_argument(
        "--strides", nargs="+", type=positive_int, default=STRIDES, metavar="N", help="default: 1 2 3 5"
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="default: all")
    parser.add_argument(
        "--program",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="another odometry program, in an environment of its own: reads the sequence {source} in the mode {mode}, "
        "every {stride}-th frame, and writes the poses of the frames that it tracks in TUM format to online.tum or "
        "trajectory.tum in the folder {output}; our methods are then compared on these frames, too (repeatable)",
    )
    program.add_matcher_arguments(parser)
    program.add_output_argument(parser)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace, command: str) -> Report:
    program.set_threads(args.threads)
    programs = [OtherProgram.parse(text) for text in args.program]
    sequences, skipped = open_sequences(args.sequences, args.modes, args.strides)
    for reason in skipped:
        print(f"{PROGRAM}: skipped {reason}", file=sys.stderr)
    loftr = load_matcher(args.checkpoint, args.device)
    methods = select_methods(args.methods, loftr, Path(args.checkpoint).stem)
    facts = network_machine(loftr.device, loftr.model.dtype)
    console = program.table_console()
    for name, value in facts.items():
        console.print(f"{name}: {value}", highlight=False)
    tables = []
    with program.progress_bar() as bar:
        task = bar.add_task("", total=len(methods) * sum(sequence.frames for sequence in sequences))
        for sequence in sequences:
            runs = []
            for stride in sequence.strides:
                ours = {}
                for method in methods:
                    bar.update(task, description=f"{sequence.title}, stride {stride}, {method.name}")
                    run, ours[method.name] = run_odometry(sequence, stride, method, lambda: bar.advance(task))
                    runs.append(run)
                for other in programs:
                    bar.update(task, description=f"{sequence.title}, stride {stride}, {other.name}")
                    try:
                        runs += rows(other.name, other.run(sequence, stride), sequence, stride, ours)
                    except LoftrRosError as error:
                        skipped.append(f"{other.name}, {sequence.title}, stride {stride}: {error}")
            table = SequenceReport(sequence.title, sequence.truth.length, runs)
            bar.console.print()
            console.print(rich_table(table))
            tables.append(table)
    return Report(PROGRAM, command, facts, tables, [f"Left out: {reason}" for reason in skipped])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
