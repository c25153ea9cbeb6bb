"""Runs programs one after the other, each with a time limit; a failure does not stop the others."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

PASSED = "passed"
_GRACE = 10.0  # seconds between SIGTERM and SIGKILL, to save results


@dataclass(frozen=True)
class Part:
    """One program.

    Attributes:
        name: name in the table and of the log.
        command: command line.
        limit: time limit, seconds.
        figures: summarizes the results of the program for the table; may raise if they are incomplete.
    """

    name: str
    command: Sequence[str]
    limit: float
    figures: Callable[[], str]


@dataclass(frozen=True)
class Outcome:
    """Result of a part: "passed" or the error, its duration, and its figures."""

    name: str
    result: str
    seconds: float
    figures: str


@dataclass(frozen=True)
class PartsReport:
    """The table of all parts."""

    heading: str
    outcomes: Sequence[Outcome]

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["part", "result", "s", "figures"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per part."""
        return [[one.name, one.result, f"{one.seconds:.0f}", one.figures] for one in self.outcomes]


def run_part(part: Part, log: Path, folder: Path) -> Outcome:
    """Run a part in a folder, with its output in a log."""
    start = monotonic()
    with log.open("w") as file:
        # In a new session, so that its child processes can be ended with it.
        process = subprocess.Popen(
            part.command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            result = _result(process.wait(timeout=max(part.limit, 1.0)), log)
        except subprocess.TimeoutExpired:
            result = f"stopped after {part.limit:.0f} s"
        finally:
            _end(process)
    return Outcome(part.name, result, monotonic() - start, _figures(part))


def _result(code: int, log: Path) -> str:
    if code == 0:
        return PASSED
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"failed, {how}: {log.name}"


def _figures(part: Part) -> str:
    try:
        return part.figures()
    except Exception as error:  # an interrupted program may have written anything
        return f"no figures ({type(error).__name__})"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, then SIGKILL, to the process if it still runs."""
    for number, wait in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(timeout=wait)
            except subprocess.TimeoutExpired:
                continue
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # child processes that it left behind
