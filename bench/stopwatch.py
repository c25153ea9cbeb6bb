"""Timers for function calls and for a matcher inside of a larger computation."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from loftr_ros.matches import FeaturesT, Matcher, Matches

ResultT = TypeVar("ResultT")


def timed(call: Callable[[], ResultT]) -> tuple[ResultT, float]:
    """Return the result of a call and its milliseconds, with the GPU synchronized."""
    start = perf_counter()
    result = call()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return result, 1e3 * (perf_counter() - start)


class TimedMatcher(Generic[FeaturesT]):
    """A matcher that accumulates its run time.

    Attributes:
        total_ms: accumulated milliseconds.
    """

    def __init__(self, matcher: Matcher[FeaturesT]) -> None:
        """Wrap a matcher."""
        self._matcher = matcher
        self.total_ms = 0.0

    def extract(self, image: NDArray[np.uint8]) -> FeaturesT:
        """Extract features, timed."""
        return self._add(lambda: self._matcher.extract(image))

    def match(self, features_a: FeaturesT, features_b: FeaturesT) -> Matches:
        """Match, timed."""
        return self._add(lambda: self._matcher.match(features_a, features_b))

    def _add(self, call: Callable[[], ResultT]) -> ResultT:
        result, milliseconds = timed(call)
        self.total_ms += milliseconds
        return result
