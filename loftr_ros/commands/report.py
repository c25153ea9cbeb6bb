"""`loftr-ros report`: one HTML page about a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from loftr_ros.errors import LoftrRosError, shortened
from loftr_ros.runs.places import LATEST, given_run, runs_in

DEFAULT_NAME = "report.html"
RUN_HELP = "(default: latest, the last run without --output)"


class SeveralRunsError(LoftrRosError):
    """A folder of several runs in place of one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "run", type=Path, nargs="?", default=Path(LATEST), metavar="RUN", help=f"folder of loftr-ros run {RUN_HELP}"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=f"HTML file to write (default: {DEFAULT_NAME} in RUN)"
    )


def main(args: argparse.Namespace) -> int:
    """Read, assemble and write."""
    run = given_run(args.run)
    if several := runs_in(run):
        names = shortened(", ".join(path.name for path in several))
        raise SeveralRunsError(f"{run} is not a folder of a run, but of several: give {names}, or loftr-ros compare.")
    write_page([run], args.output or run / DEFAULT_NAME)
    return 0


def write_page(folders: list[Path], path: Path) -> None:
    """Write a page about some runs.

    Raises:
        RunLogError: a folder is not that of a run.
        OutputError: the page cannot be written.
    """
    from loftr_ros.output import writing
    from loftr_ros.reports.page.html import page
    from loftr_ros.reports.page.run_folder import RunFolder

    runs = [RunFolder.read(folder) for folder in folders]
    title = f"loftr_ros: {', '.join(run.name for run in runs)}"
    with writing(path) as part:
        part.write_text(page(runs, title), encoding="utf-8", errors="replace")
    print(path)
