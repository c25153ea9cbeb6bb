"""Events that restart or disturb the odometry and should be rare; repeated, two publishers are at work."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

_WINDOW_S = 10.0
# In the window: a recording in a loop, or a camera that is started twice, has fewer.
_REPEATED = 3


class Repeated(NamedTuple):
    """An event and how often it was in the last ten seconds."""

    what: str
    times: int


class Interruptions:
    """The events of the last ten seconds. The worker adds; any thread may read."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Start without events; `now` returns seconds."""
        self._now = now
        self._times: dict[str, deque[float]] = {}

    def add(self, what: str) -> bool:
        """Add an event, a sentence without an end. Returns whether it is worth a line in the log: not yet repeated."""
        times = self._times.setdefault(what, deque(maxlen=1000))
        times.append(self._now())
        return self._recent(times) < _REPEATED

    def repeated(self) -> Repeated | None:
        """Return the event that is repeated most often; None without one."""
        found = [Repeated(what, self._recent(times)) for what, times in list(self._times.items())]
        most = max(found, key=lambda one: one.times, default=None)
        return most if most and most.times >= _REPEATED else None

    def _recent(self, times: deque[float]) -> int:
        since = self._now() - _WINDOW_S
        return sum(at > since for at in list(times))
