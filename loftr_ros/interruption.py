"""Handles Ctrl-C, SIGTERM and SIGHUP as requests to stop between two steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

# Ctrl-C, the end of a job or container, and a closed terminal.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that stop the program: not SIGHUP if it is to survive its terminal (nohup)."""
    return tuple(s for s in SIGNALS if s != signal.SIGHUP or signal.getsignal(s) != signal.SIG_IGN)


class Interruption:
    """Context manager that records the first signal; a second one has its default effect.

    Attributes:
        signal: number of the received signal; 0 if none.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._handlers = {number: signal.getsignal(number) for number in stop_signals()}

    def __enter__(self) -> Interruption:
        for number in self._handlers:
            signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self.__exit__(None, None, None)
