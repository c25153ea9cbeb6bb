"""Work that takes too long for a callback."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from threading import Thread
from typing import TypeVar

from rclpy.executors import Executor
from rclpy.task import Future

ResultT = TypeVar("ResultT")


def in_thread(work: Callable[[], ResultT], *, daemon: bool) -> ThreadFuture[ResultT]:
    """Run `work` in a thread of its own; the end of the program waits for it unless it is a daemon."""
    future: ThreadFuture[ResultT] = ThreadFuture()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, name="background", daemon=daemon).start()
    return future


def in_background(executor: Executor, work: Callable[[], ResultT]) -> Future[ResultT]:
    """Run `work` for a coroutine callback to await while the executor goes on. The end of the program waits for it."""
    future: Future[ResultT] = Future(executor=executor)

    def tell(done: ThreadFuture[ResultT]) -> None:
        error = done.exception()
        if error is None:
            future.set_result(done.result())
        elif isinstance(error, Exception):
            future.set_exception(error)
        executor.wake()  # it sleeps until something happens, and does not look at awaited futures by itself

    in_thread(work, daemon=False).add_done_callback(tell)
    return future
