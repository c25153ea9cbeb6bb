"""`loftr-ros compare`: one HTML page about several runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from loftr_ros.commands.report import write_page
from loftr_ros.errors import LoftrRosError

MAX_RUNS = 8  # distinguishable colors


class CompareError(LoftrRosError):
    """Too few or too many runs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help=f"folders of loftr-ros run, 2 to {MAX_RUNS}")
    parser.add_argument(
        "--output", type=Path, default=Path("comparison.html"), metavar="FILE", help="(default: %(default)s)"
    )


def main(args: argparse.Namespace) -> int:
    """Read, assemble and write."""
    if not 2 <= len(args.runs) <= MAX_RUNS:
        raise CompareError(f"{len(args.runs)} runs are given: a comparison needs 2 to {MAX_RUNS}.")
    write_page(args.runs, args.output)
    return 0
