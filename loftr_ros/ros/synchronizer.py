"""The part of message_filters that the node needs, for where ROS does not have it: same names, same behaviour.

Unlike there, the message that *arrived* first is evicted, so that recorded data may start over; see `Subscriber`,
`TimeSynchronizer` and `ApproximateTimeSynchronizer` of https://docs.ros.org/en/rolling/p/message_filters/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.node import Node


class Subscriber:
    """A subscription whose messages go to registered callbacks."""

    def __init__(self, node: Node, message_type: Any, topic: str, **options: Any) -> None:
        """Subscribe; `options` are those of `Node.create_subscription`."""
        self._callbacks: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.sub = node.create_subscription(message_type, topic, self._signal, **options)

    def registerCallback(self, callback: Callable[..., None], *arguments: Any) -> None:
        """Call `callback(message, *arguments)` for every message."""
        self._callbacks.append((callback, arguments))

    def _signal(self, message: Any) -> None:
        for callback, arguments in self._callbacks:
            callback(message, *arguments)


class ApproximateTimeSynchronizer:
    """Sets of one message an input whose stamps differ by at most `slop` seconds, called back in order of arrival."""

    def __init__(self, inputs: Sequence[Any], queue_size: int, slop: float) -> None:
        """Listen to filters that have `registerCallback`, and keep `queue_size` unmatched messages of each."""
        self._queues: list[dict[int, Any]] = [{} for _ in inputs]
        self._queue_size = queue_size
        self._slop_ns = round(slop * 1e9)
        self._callbacks: list[Callable[..., None]] = []
        for index, source in enumerate(inputs):
            source.registerCallback(self.add, index)

    def registerCallback(self, callback: Callable[..., None]) -> None:
        """Call `callback(*messages)` for every set, in the order of the inputs."""
        self._callbacks.append(callback)

    def add(self, message: Any, index: int) -> None:
        """Take a message of one input; it completes at most one set."""
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        queue = self._queues[index]
        queue[stamp] = message
        if len(queue) > self._queue_size:
            del queue[next(iter(queue))]
        stamps = [min(q, key=lambda other: abs(other - stamp), default=None) for q in self._queues]
        found = [s for s in stamps if s is not None]
        if len(found) < len(stamps) or max(found) - min(found) > self._slop_ns:
            return
        messages = [q.pop(s) for q, s in zip(self._queues, found, strict=True)]
        for callback in self._callbacks:
            callback(*messages)


class TimeSynchronizer(ApproximateTimeSynchronizer):
    """Sets of one message an input with equal stamps."""

    def __init__(self, inputs: Sequence[Any], queue_size: int) -> None:
        """Listen to filters that have `registerCallback`, and keep `queue_size` unmatched messages of each."""
        super().__init__(inputs, queue_size, slop=0.0)
