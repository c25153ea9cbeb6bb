#!/usr/bin/env python3
"""How well LoFTR matches, against ORB and SIFT: relative pose and homography on recorded pairs.

All methods get the same RANSAC and the same refinement, in one run. The data is the folder that LOFTR_ROS_DATA names.

    python bench/matching.py                                   everything
    python bench/matching.py --sequences corridor --every 8    a quick look
    python bench/matching.py --output docs/benchmarks.md       and rewrite the tables there
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import torch
from measure import measure
from methods import competitors
from report import Report, SetReport, machine, rich_table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sets import LISTS, RECORDINGS, BenchError, PairSet, open_sets

from loftr_ros.commands.arguments import positive_int
from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.matcher import load_matcher

NAMES = (*RECORDINGS, *LISTS)
TABLE_WIDTH = 150  # a narrower terminal may break lines, a table must not lose figures


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for an error of the user's."""
    args = _parse(argv)
    try:
        report = _run(args, shlex.join(["python", "bench/matching.py", *argv]))
        for path in args.output:
            report.write(path)
    except LoftrRosError as error:
        print(f"matching.py: error: {error}", file=sys.stderr)
        return 2
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sequences",
        nargs="+",
        default=NAMES,
        metavar="NAME",
        help=f"of {', '.join(NAMES)}, or folders of sequences with ground truth (default: all these names)",
    )
    parser.add_argument(
        "--strides",
        nargs="+",
        type=positive_int,
        metavar="N",
        help="frames between a pair (default: 1 3 5 8; kitchen 10 20)",
    )
    parser.add_argument(
        "--overlapping", action="store_true", help="start a pair at every frame, not only where the one before ends"
    )
    parser.add_argument(
        "--every", type=positive_int, default=1, metavar="N", help="use one of N pairs, for a quick look"
    )
    parser.add_argument(
        "--checkpoint", default="compact", metavar="compact|outdoor|indoor|FILE", help="weights (default: compact)"
    )
    parser.add_argument("--device", default="auto", help="of LoFTR: auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--threads", type=positive_int, metavar="N", help="of torch and OpenCV (default: theirs)")
    parser.add_argument(
        "--output",
        type=_report_file,
        action="append",
        default=[],
        metavar="FILE",
        help="write the results (json), or the tables into their place in a page (md); may be given twice",
    )
    return parser.parse_args(argv)


def _report_file(text: str) -> Path:
    if not text.endswith((".md", ".json")):
        raise argparse.ArgumentTypeError(f"{text} does not end in .md or .json")
    return Path(text)


def _run(args: argparse.Namespace, command: str) -> Report:
    if args.threads:
        torch.set_num_threads(args.threads)
        cv2.setNumThreads(args.threads)
    pair_sets = _pair_sets(args)
    loftr = load_matcher(args.checkpoint, args.device)
    rows = competitors(loftr, Path(args.checkpoint).stem)
    facts = machine(loftr.device, next(loftr.model.parameters()).dtype)
    console = Console(width=max(Console().width, TABLE_WIDTH))
    for name, value in facts.items():
        console.print(f"{name}: {value}", highlight=False)
    reports = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(rows) * sum(len(pair_set.pairs) for pair_set in pair_sets))
        for pair_set in pair_sets:
            bar.update(task, description=pair_set.title)
            measured = measure(pair_set, rows, lambda: bar.advance(task))
            report = SetReport(pair_set.title, len(pair_set.pairs), pair_set.pairs[0].problem.unit, measured)
            bar.console.print()
            console.print(rich_table(report))
            reports.append(report)
    return Report(command, facts, reports, args.every)


def _pair_sets(args: argparse.Namespace) -> list[PairSet]:
    """Open everything before the first pair is measured."""
    data = os.environ.get("LOFTR_ROS_DATA")
    pair_sets = [
        replace(pair_set, pairs=pair_set.pairs[:: args.every])
        for name in args.sequences
        for pair_set in open_sets(name, Path(data) if data else None, args.strides, args.overlapping)
    ]
    if not pair_sets:
        raise BenchError("Nothing is left to measure: kitchen needs --strides of 10 or more.")
    return pair_sets


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
