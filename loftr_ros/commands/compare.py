"""`loftr-ros compare`: one HTML page about several runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from loftr_ros.commands.report import RUN_HELP, write_page
from loftr_ros.errors import LoftrRosError
from loftr_ros.runs.places import LATEST, given_run, runs_in

MAX_RUNS = 8  # distinguishable colors


class CompareError(LoftrRosError):
    """Too few or too many runs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "runs",
        type=Path,
        nargs="*",
        default=[Path(LATEST)],
        metavar="RUN",
        help=f"folders of loftr-ros run, 2 to {MAX_RUNS}, or one with the runs of several sources {RUN_HELP}",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("comparison.html"), metavar="FILE", help="(default: %(default)s)"
    )


def main(args: argparse.Namespace) -> int:
    """Read, assemble and write."""
    given = [given_run(run) for run in args.runs]
    runs = [run for folder in given for run in runs_in(folder) or [folder]]
    if not 2 <= len(runs) <= MAX_RUNS:
        raise CompareError(f"{len(runs)} runs are given: a comparison needs 2 to {MAX_RUNS}.")
    write_page(runs, args.output)
    return 0
