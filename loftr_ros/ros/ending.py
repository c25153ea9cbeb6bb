"""How a program ends on SIGINT and SIGTERM: in its own time, but within two seconds. Imports nothing heavy."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

# Time to end in an orderly way. A frame of a slow network is not waited for any longer.
_LIMIT_S = 1.2


class StopSignals:
    """Takes SIGINT and SIGTERM in a thread of its own; what the program is doing is never interrupted.

    The handlers of rclpy shut ROS down while it is in use, which ends in an RCLError; those of Python raise
    KeyboardInterrupt in the middle of an import or a callback, or only after a wait of ROS has ended.
    """

    def __init__(self) -> None:
        """Begin to take them, also where a script started the program in the background, ignoring SIGINT."""
        self._stop: Callable[[], None] | None = None
        self._ended = threading.Event()
        self._arrivals, arrivals = os.pipe()
        os.set_blocking(arrivals, False)
        signal.set_wakeup_fd(arrivals)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def on_stop(self, stop: Callable[[], None]) -> None:
        """Have `stop` called at the first signal, in another thread. Until then there is nothing to end in order."""
        self._stop = stop

    def ended(self) -> None:
        """Say that the program has come to its end: it is not forced to any more."""
        self._ended.set()

    def _wait(self) -> None:
        os.read(self._arrivals, 1)
        if self._stop is None:
            leave(0)
        self._stop()
        if not self._ended.wait(_LIMIT_S):
            leave(0)


def leave(code: int) -> NoReturn:
    """End the process without the finalization of the interpreter, which takes seconds where torch is loaded.

    What other threads must not be interrupted in, they do in threads that are no daemons: those are waited for, as at
    the end of any Python program. What is buffered is written.
    """
    waiting = threading.main_thread(), threading.current_thread()
    for thread in threading.enumerate():
        if not thread.daemon and thread not in waiting:
            thread.join()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads it any more
            stream.flush()
    ctypes.CDLL(None).fflush(None)  # the log of ROS is written by C
    os._exit(code)
