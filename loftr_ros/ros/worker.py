"""The worker thread, which does all processing; callbacks only queue frames."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class Worker(Generic[ItemT]):
    """Runs `work(item)` in its thread, one item at a time."""

    def __init__(self, work: Callable[[ItemT], None], dropped: Callable[[], None], capacity: int | None = None) -> None:
        """Start the thread.

        Args:
            work: called from the worker's thread; must handle its errors, as the thread only prints them.
            dropped: called for an item that a newer one replaced in the queue.
            capacity: length of the queue, at which `put` blocks; None keeps only the newest item.
        """
        self._work = work
        self._dropped = dropped
        self._capacity = capacity
        self._items: deque[ItemT] = deque()
        self._changed = threading.Condition()
        self._running = True
        self._began: float | None = None
        self._thread = threading.Thread(target=self._run, name="matching", daemon=True)
        self._thread.start()

    def put(self, item: ItemT) -> None:
        """Queue an item; with a capacity, wait for room."""
        with self._changed:
            if self._capacity is None:
                self._drop_waiting()
            else:
                capacity = self._capacity
                self._changed.wait_for(lambda: len(self._items) < capacity or not self._running)
            self._items.append(item)
            self._changed.notify_all()

    def busy_s(self) -> float:
        """Return for how many seconds the current item has been in work; 0 without one."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def stop(self) -> threading.Thread:
        """Discard the queue. Returns the thread, which ends after the current item."""
        with self._changed:
            self._running = False
            self._changed.notify_all()
        return self._thread

    def _drop_waiting(self) -> None:
        for _ in self._items:
            self._dropped()
        self._items.clear()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or not self._running)
                if not self._running:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            self._began = time.monotonic()
            try:
                self._work(item)
            except BaseException:  # such as SystemExit of a library, which would end the thread without a word
                traceback.print_exc()
            self._began = None
