"""How long the stages of one frame take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class StageClock:
    """Measures stages, in milliseconds, in the order in which they run."""

    def __init__(self) -> None:
        """Start with none."""
        self.timings_ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Measure what is done in the context."""
        start = perf_counter()
        yield
        self.timings_ms[stage] = 1e3 * (perf_counter() - start)
