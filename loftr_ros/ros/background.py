"""Background threads for work that would block a callback."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from threading import Thread
from typing import TypeVar

from rclpy.executors import Executor
from rclpy.task import Future

ResultT = TypeVar("ResultT")


def in_thread(work: Callable[[], ResultT], *, daemon: bool) -> ThreadFuture[ResultT]:
    """Run `work` in a new thread; the program waits for it at exit unless it is a daemon."""
    future: ThreadFuture[ResultT] = ThreadFuture()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, name="background", daemon=daemon).start()
    return future


def in_background(executor: Executor, work: Callable[[], ResultT]) -> Future[ResultT]:
    """Run `work` in a new thread, for a coroutine callback to await. The program waits for it at exit."""
    future: Future[ResultT] = Future(executor=executor)

    def finish(done: ThreadFuture[ResultT]) -> None:
        error = done.exception()
        if error is None:
            future.set_result(done.result())
        elif isinstance(error, Exception):
            future.set_exception(error)
        executor.wake()  # it sleeps until an event, and an awaited future is none

    in_thread(work, daemon=False).add_done_callback(finish)
    return future
