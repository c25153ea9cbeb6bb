"""Shutdown on SIGINT, SIGTERM and SIGHUP: orderly, but within two seconds. Imports nothing heavy."""

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

from loftr_ros.interruption import stop_signals

# Time for an orderly shutdown; a frame of a slow network may take longer, and is abandoned.
_LIMIT_S = 1.2


class StopSignals:
    """Handles SIGINT, SIGTERM and SIGHUP in a thread, so that neither an import nor a callback is interrupted.

    The handlers of rclpy shut ROS down while it is in use, which raises RCLError; those of Python raise
    KeyboardInterrupt in the middle of an import or a callback, or only after ROS has returned from a wait.
    """

    def __init__(self) -> None:
        """Set the handlers, also in a program that a script started in the background, which ignores SIGINT."""
        self._stop: Callable[[], None] | None = None
        self._ended = threading.Event()
        self._arrivals, arrivals = os.pipe()
        os.set_blocking(arrivals, False)
        signal.set_wakeup_fd(arrivals)
        for number in stop_signals():
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def on_stop(self, stop: Callable[[], None]) -> None:
        """Call `stop` at the first signal, in another thread. Before this, a signal ends the process at once."""
        self._stop = stop

    def ended(self) -> None:
        """Report that the program has ended, so that it is not forced to."""
        self._ended.set()

    def _wait(self) -> None:
        os.read(self._arrivals, 1)
        if self._stop is None:
            leave(0)
        self._stop()
        if not self._ended.wait(_LIMIT_S):
            leave(0)


def leave(code: int) -> NoReturn:
    """Exit without the finalization of the interpreter, which takes seconds once torch is loaded.

    As at the end of any Python program, non-daemon threads are joined and buffers are flushed.
    """
    waiting = threading.main_thread(), threading.current_thread()
    for thread in threading.enumerate():
        if not thread.daemon and thread not in waiting:
            thread.join()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # its reader has gone
            stream.flush()
    ctypes.CDLL(None).fflush(None)  # the log of ROS is written by C
    os._exit(code)
