"""Timing of the stages of one frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class StageClock:
    """Times the stages in milliseconds, in order of execution."""

    def __init__(self) -> None:
        """Start without any stage."""
        self.timings_ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the body of the context under this name."""
        start = perf_counter()
        yield
        self.timings_ms[stage] = 1e3 * (perf_counter() - start)
