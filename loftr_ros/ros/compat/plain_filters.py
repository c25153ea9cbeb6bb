"""The part of message_filters that the node needs, for where ROS does not have it: same names, same behaviour.

See `SimpleFilter`, `TimeSynchronizer` and `ApproximateTimeSynchronizer` of
https://docs.ros.org/en/rolling/p/message_filters/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class SimpleFilter:
    """Hands messages on to registered callbacks."""

    def __init__(self) -> None:
        """Start without callbacks."""
        self._callbacks: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def registerCallback(self, callback: Callable[..., None], *arguments: Any) -> None:
        """Call `callback(*messages, *arguments)` for everything that is put out."""
        self._callbacks.append((callback, arguments))

    def signalMessage(self, *messages: Any) -> None:
        """Put out one message, or a set of them."""
        for callback, arguments in self._callbacks:
            callback(*messages, *arguments)


class ApproximateTimeSynchronizer(SimpleFilter):
    """Sets of one message an input whose stamps differ by less than `slop` seconds, nearest first."""

    def __init__(self, inputs: Sequence[SimpleFilter], queue_size: int, slop: float) -> None:
        """Listen to `inputs`, and keep the `queue_size` latest unmatched messages of each."""
        super().__init__()
        self._queues: list[dict[int, Any]] = [{} for _ in inputs]
        self._queue_size = queue_size
        self._slop_ns = slop * 1e9
        for index, source in enumerate(inputs):
            source.registerCallback(self.add, index)

    def add(self, message: Any, index: int) -> None:
        """Take a message of one input; it completes at most one set."""
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        queue = self._queues[index]
        queue[stamp] = message
        if len(queue) > self._queue_size:
            del queue[min(queue)]
        if stamp not in queue:
            return
        others = [min(q, key=lambda other: abs(other - stamp), default=None) for q in self._queues]
        found = [s for s in others if s is not None]
        if len(found) == len(others) and max(found) - min(found) < self._slop_ns:
            self.signalMessage(*[q.pop(s) for q, s in zip(self._queues, found, strict=True)])


class TimeSynchronizer(ApproximateTimeSynchronizer):
    """Sets of one message an input with equal stamps."""

    def __init__(self, inputs: Sequence[SimpleFilter], queue_size: int) -> None:
        """Listen to `inputs`, and keep the `queue_size` latest unmatched messages of each."""
        super().__init__(inputs, queue_size, slop=1e-9)
