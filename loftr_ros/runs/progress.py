"""Progress of a run, on the terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def bars(show: bool) -> Progress:
    """Return progress bars on stderr, with a note at the end of each."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True), disable=not show)


class ProgressBar:
    """The bar of one run."""

    def __init__(self, show: bool = True) -> None:
        """Show nothing yet."""
        self._bars = bars(show)
        self._started = False

    def start(self, name: str, frames: int, done: int) -> None:
        """Show the bar."""
        self._bars.start()
        self._task = self._bars.add_task(escape(name), total=frames, completed=done, note="")

    def advance(self, note: str) -> None:
        """One frame more."""
        self._bars.update(self._task, advance=1, note=note)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
