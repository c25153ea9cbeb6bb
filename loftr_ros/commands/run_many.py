"""Runs of several sources, in processes, with one table at the end."""

from __future__ import annotations

import argparse
import copy
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from loftr_ros.commands.sequence_input import print_remark
from loftr_ros.errors import LoftrRosError

if TYPE_CHECKING:
    from loftr_ros.runs.batch import Counter, Outcome, Task

# They have one file or window, which several runs cannot share.
OF_ONE_RUN = ("bag", "video", "rerun", "view")


class SeveralSourcesError(LoftrRosError):
    """An option for one source, with several."""


def run_many(args: argparse.Namespace) -> int:
    """Run all sources, and print the table.

    Returns:
        0; 1 if a source has no result; 128 and the number of the signal that ended it.
    """
    from loftr_ros.interruption import Interruption
    from loftr_ros.output import make_folder
    from loftr_ros.runs.batch import Batch, tasks_of
    from loftr_ros.runs.batch_progress import BatchProgress
    from loftr_ros.runs.places import LATEST, given_run, new_folder
    from loftr_ros.runs.tables import print_outcomes

    if option := next((name for name in OF_ONE_RUN if getattr(args, name)), None):
        raise SeveralSourcesError(f"--{option} is for one source, and {len(args.sources)} are given: remove it.")
    folder = args.output or (given_run(Path(LATEST)) if args.resume else new_folder("runs"))
    make_folder(folder)
    tasks = tasks_of(args.sources, folder)
    batch = Batch(tasks, args.jobs, partial(_run, args))
    outcomes: list[Outcome] = []
    with Interruption() as interruption, BatchProgress(len(tasks), not args.no_progress) as progress:
        for outcome in batch.ended():
            progress.show(batch.running)
            if outcome is not None:
                outcomes.append(outcome)
                progress.ended(outcome)
            if interruption.signal:
                outcomes += batch.stop(interruption.signal)
                break
    outcomes.sort(key=lambda outcome: tasks.index(outcome.task))
    print_outcomes(outcomes, folder)
    if interruption.signal:
        print_remark("note", "interrupted; the same command with --resume goes on with the unfinished sources")
        return 128 + interruption.signal
    return int(any(outcome.code != 0 for outcome in outcomes))


def _run(args: argparse.Namespace, task: Task, counter: Counter) -> int:
    """Run one source in this process."""
    from loftr_ros.commands.run_one import run_one
    from loftr_ros.memory import reporting_lack_of_memory

    one = copy.copy(args)
    one.source, one.output = task.source, task.folder
    try:
        with reporting_lack_of_memory():
            return run_one(one, counter)
    except LoftrRosError as error:
        print(f"loftr-ros: error: {error}", file=sys.stderr)
        return error.exit_code
