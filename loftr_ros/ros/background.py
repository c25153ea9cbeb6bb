"""Work that takes too long for a callback."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

from rclpy.executors import Executor
from rclpy.task import Future

ResultT = TypeVar("ResultT")


def in_background(executor: Executor, work: Callable[[], ResultT]) -> Future[ResultT]:
    """Run `work` in a thread of its own, for a coroutine callback to await while the executor goes on."""
    future: Future[ResultT] = Future(executor=executor)

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)
        executor.wake()  # it sleeps until something happens, and does not look at awaited futures by itself

    Thread(target=run, name="background", daemon=True).start()
    return future
