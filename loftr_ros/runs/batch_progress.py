"""Progress of several runs: a bar for all and one for each that is running, and a line for each that ended."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import TaskID

from loftr_ros.errors import shortened
from loftr_ros.runs.batch import Outcome, Running
from loftr_ros.runs.progress import bars


class BatchProgress:
    """Shows the progress on stderr."""

    def __init__(self, sources: int, show: bool) -> None:
        """Show nothing yet."""
        self._bars = bars(show)
        self._sources, self._show, self._ended = sources, show, 0
        self._all = self._bars.add_task("sources", total=sources, note="")
        self._tasks: dict[str, TaskID] = {}

    def show(self, running: Sequence[Running]) -> None:
        """Show how far the runs are."""
        for run in running:
            frames, done = run.counter.state
            if run.task.name not in self._tasks:
                self._tasks[run.task.name] = self._bars.add_task(escape(run.task.name), total=1, note="starting")
            if frames:
                self._bars.update(self._tasks[run.task.name], total=frames, completed=done, note="")

    def ended(self, outcome: Outcome) -> None:
        """Count a run, and print how it ended."""
        self._ended += 1
        if (task := self._tasks.pop(outcome.task.name, None)) is not None:
            self._bars.remove_task(task)
        self._bars.advance(self._all)
        line = f"[{self._ended}/{self._sources}] {outcome.task.name}: {shortened(outcome.reason, 300) or 'finished'}"
        console = self._bars.console if self._show else Console(stderr=True)
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> BatchProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
