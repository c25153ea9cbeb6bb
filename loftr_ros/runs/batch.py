"""Runs of several sources, each in a process of its own: one that fails, or even crashes, does not stop the others."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Any

LOG_FILE = "run.log"
_ERROR = "loftr-ros: error: "
_POLL_S = 0.1


@dataclass(frozen=True)
class Task:
    """A source, the name of its run, and its folder."""

    source: Path
    name: str
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """How the run of a source ended.

    Attributes:
        task: the source.
        code: exit code; negative: number of the signal that killed it; None: not started.
        reason: why there is no result; empty if there is.
    """

    task: Task
    code: int | None
    reason: str = ""


class Counter:
    """Progress of a run in another process: stands in for a progress bar there."""

    def __init__(self) -> None:
        """Start without frames."""
        self._numbers = multiprocessing.get_context("spawn").Array("q", 2)

    def start(self, name: str, frames: int, done: int) -> None:
        """Tell the number of frames."""
        self._numbers[:] = [frames, done]

    def advance(self, note: str) -> None:
        """One frame more."""
        self._numbers[1] += 1

    @property
    def state(self) -> tuple[int, int]:
        """Number of frames, 0 if not yet known, and of those that are done."""
        frames, done = self._numbers[:]
        return frames, done

    def __enter__(self) -> Counter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""


Work = Callable[[Task, Counter], int]


@dataclass
class Running:
    """The process of a source."""

    task: Task
    counter: Counter
    process: SpawnProcess

    def outcome(self) -> Outcome:
        """Return how the process ended; it has."""
        code = self.process.exitcode or 0
        return Outcome(self.task, code, _reason(self.task.folder / LOG_FILE, code) if code else "")


class Batch:
    """Runs tasks, up to `jobs` at a time."""

    def __init__(self, tasks: Sequence[Task], jobs: int, work: Work) -> None:
        """Take the tasks; `work` runs one, in another process, and returns its exit code."""
        self._waiting = list(tasks)
        self._jobs, self._work = jobs, work
        self.running: list[Running] = []

    def ended(self) -> Iterator[Outcome | None]:
        """Yield each outcome as it comes, and None several times a second."""
        threads = max(1, (os.cpu_count() or 1) // self._jobs)
        while self._waiting or self.running:
            while self._waiting and len(self.running) < self._jobs:
                self.running.append(_started(self._waiting.pop(0), self._work, threads))
            for run in [one for one in self.running if not one.process.is_alive()]:
                self.running.remove(run)
                yield run.outcome()
            yield None
            time.sleep(_POLL_S)

    def stop(self, number: int) -> list[Outcome]:
        """Pass a signal on, wait until the runs have written their results, and return what is left."""
        for run in self.running:
            with suppress(ProcessLookupError):
                os.kill(run.process.pid or 0, number)
        for run in self.running:
            run.process.join()
        left = [Outcome(task, None, "not started") for task in self._waiting]
        ended = [run.outcome() for run in self.running]
        self._waiting, self.running = [], []
        return ended + left


def tasks_of(sources: Sequence[Path], folder: Path) -> list[Task]:
    """Return a task for each source: its folder has the name of the source, with those above it where names repeat."""
    tasks = []
    paths = [source.expanduser().resolve() for source in sources]
    for source, path in zip(sources, paths, strict=True):
        others = [other for other in paths if other != path]
        depth = next((n for n in range(1, len(path.parts)) if all(_name(o, n) != _name(path, n) for o in others)), 0)
        name = _name(path, depth or len(path.parts))
        tasks.append(Task(source, name, folder / name))
    return tasks


def _name(path: Path, parts: int) -> str:
    named = path.with_suffix("") if path.is_file() else path
    return re.sub(r"[^\w.+-]+", "_", "_".join(named.parts[-parts:])).strip("_.") or "run"


def _started(task: Task, work: Work, threads: int) -> Running:
    counter = Counter()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_child, args=(work, task, counter, threads), name=task.name)
    with _environment(OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", str(threads))):
        process.start()
    return Running(task, counter, process)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set variables for a process that is started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _child(work: Work, task: Task, counter: Counter, threads: int) -> None:
    """Run a task in this process, with its output in the folder of the run."""
    os.setsid()  # Ctrl-C in the terminal reaches the parent, which passes it on once
    threading.Thread(target=_follow_parent, daemon=True).start()
    task.folder.mkdir(parents=True, exist_ok=True)
    with (task.folder / LOG_FILE).open("w", encoding="utf-8", errors="backslashreplace", buffering=1) as log:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(log.fileno(), stream.fileno())
        import cv2

        cv2.setNumThreads(threads)
        sys.exit(work(task, counter))


def _follow_parent() -> None:
    """End this run if the parent is killed."""
    parent: Any = multiprocessing.parent_process()
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _reason(log: Path, code: int) -> str:
    """Return why a run has no result, from the end of its output."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    if code > 128:
        return "interrupted"
    try:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError as error:
        return f"{log} cannot be written: {error.strerror}"
    errors = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    return (errors or lines or [f"exit code {code}"])[-1]
