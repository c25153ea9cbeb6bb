"""Command line options and terminal output shared by the benchmarks."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import torch
from report import Report
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from loftr_ros.commands.arguments import positive_int
from loftr_ros.errors import LoftrRosError

TABLE_WIDTH = 150  # on a narrower terminal lines are wrapped rather than cut


def add_matcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the checkpoint, the device and the threads."""
    parser.add_argument(
        "--checkpoint", default="compact", metavar="compact|outdoor|indoor|FILE", help="weights (default: compact)"
    )
    parser.add_argument("--device", default="auto", help="device of LoFTR: auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument(
        "--threads", type=positive_int, metavar="N", help="threads of torch and OpenCV (default: theirs)"
    )


def add_output_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the output files."""
    parser.add_argument(
        "--output",
        type=_report_file,
        action="append",
        default=[],
        metavar="FILE",
        help="write the results (json), or update the tables in a page (md); can be repeated",
    )


def _report_file(text: str) -> Path:
    if not text.endswith((".md", ".json")):
        raise argparse.ArgumentTypeError(f"{text} does not end in .md or .json")
    return Path(text)


def command_line(program: str, argv: Sequence[str]) -> str:
    """Return the command line for the report."""
    return shlex.join(["python", f"bench/{program}", *argv])


def run(program: str, measure: Callable[[], Report], output: Sequence[Path]) -> int:
    """Measure and write. Returns 0, or 2 for a user error, which is printed."""
    try:
        report = measure()
        for path in output:
            report.write(path)
    except LoftrRosError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return 2
    return 0


def set_threads(count: int | None) -> None:
    """Limit the threads of torch and OpenCV."""
    if count:
        torch.set_num_threads(count)
        cv2.setNumThreads(count)


def table_console() -> Console:
    """Return a console on standard output, wide enough for the tables."""
    return Console(width=max(Console().width, TABLE_WIDTH))


def progress_bar() -> Progress:
    """Return a progress bar on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
