"""The executor of the node, which goes on after a message that cannot be taken."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from rclpy.executors import SingleThreadedExecutor


class NodeExecutor(SingleThreadedExecutor):
    """Raises what taking a message raises as if its callback had.

    rclpy marks an entity and its callback group as busy before it takes the message, and releases them after the
    callback only. When the message cannot be converted, for lack of memory, they stay busy: no timer and no
    subscription of the node is ever called again, without a word.
    """

    def _make_handler(self, entity: Any, node: Any, take_from_wait_list: Any, *others: Any) -> Any:
        if others:  # Humble, whose callbacks are made otherwise
            return super()._make_handler(entity, node, take_from_wait_list, *others)
        return super()._make_handler(entity, node, lambda taken: _deferred(take_from_wait_list, taken))


def _deferred(take: Callable[[Any], Any], entity: Any) -> Any:
    """Take a message; returns its callback, or one that raises why there is none."""
    try:
        return take(entity)
    except Exception as error:
        return _raising(error)


def _raising(error: Exception) -> Callable[[], Coroutine[None, None, None]]:
    async def fail() -> None:
        raise error

    return fail
