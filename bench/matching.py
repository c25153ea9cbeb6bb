#!/usr/bin/env python3
"""Accuracy of LoFTR matches against ORB, SIFT and other learned matchers: relative pose and homography.

The image pairs are recorded. All methods share RANSAC and refinement, in one run. LOFTR_ROS_DATA names the data folder.

    python bench/matching.py                                   everything
    python bench/matching.py --sequences corridor --every 8    a quick look
    python bench/matching.py --peers xfeat xfeat-lighterglue   with other learned matchers
    python bench/matching.py --output docs/benchmarks.md       and update the tables there
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import program
from data import BenchError
from learned_matchers import LEARNED_MATCHERS
from matchers import matching_methods
from measure import measure
from pair_set_report import PairSetReport
from pair_sets import LISTS, RECORDINGS, PairSet, open_sets
from report import Report, network_machine, rich_table

from loftr_ros.commands.arguments import positive_int
from loftr_ros.loftr.runtime.matcher import load_matcher

PROGRAM = "matching.py"
NAMES = (*RECORDINGS, *LISTS)


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    args = _parse(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sequences",
        nargs="+",
        default=NAMES,
        metavar="NAME",
        help=f"any of {', '.join(NAMES)}, or folders of sequences with ground truth (default: all of these names)",
    )
    parser.add_argument(
        "--strides",
        nargs="+",
        type=positive_int,
        metavar="N",
        help="frame distances of the pairs (default: 1 3 5 8; kitchen 10 20)",
    )
    parser.add_argument(
        "--overlapping",
        action="store_true",
        help="start a pair at every frame instead of at the end of the previous pair",
    )
    parser.add_argument(
        "--every", type=positive_int, default=1, metavar="N", help="use one of N pairs, for a quick look"
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        choices=LEARNED_MATCHERS,
        default=(),
        help="other learned matchers, from kornia, which downloads their weights (default: none)",
    )
    program.add_matcher_arguments(parser)
    program.add_output_argument(parser)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace, command: str) -> Report:
    program.set_threads(args.threads)
    pair_sets = _pair_sets(args)
    loftr = load_matcher(args.checkpoint, args.device)
    learned = [LEARNED_MATCHERS[name] for name in args.peers]
    methods = matching_methods(
        loftr, Path(args.checkpoint).stem, [(title, make(loftr.device)) for title, make in learned]
    )
    facts = network_machine(loftr.device, loftr.model.dtype)
    console = program.table_console()
    for name, value in facts.items():
        console.print(f"{name}: {value}", highlight=False)
    tables = []
    with program.progress_bar() as bar:
        task = bar.add_task("", total=len(methods) * sum(len(pair_set.pairs) for pair_set in pair_sets))
        for pair_set in pair_sets:
            bar.update(task, description=pair_set.title)
            measured = measure(pair_set, methods, lambda: bar.advance(task))
            table = PairSetReport(pair_set.title, len(pair_set.pairs), pair_set.pairs[0].task.unit, measured)
            bar.console.print()
            console.print(rich_table(table))
            tables.append(table)
    notes = [f"**Provisional**: one of {args.every} pairs only."] if args.every > 1 else []
    return Report(PROGRAM, command, facts, tables, notes)


def _pair_sets(args: argparse.Namespace) -> list[PairSet]:
    """Open all pair sets, so that errors come before the first measurement."""
    pair_sets = [
        replace(pair_set, pairs=pair_set.pairs[:: args.every])
        for name in args.sequences
        for pair_set in open_sets(name, args.strides, args.overlapping)
    ]
    if not pair_sets:
        raise BenchError("Nothing to measure: kitchen needs --strides of 10 or more.")
    return pair_sets


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
