"""Errors in the log of the node: each kind at most once a minute, as a faulty camera causes one per frame."""

from __future__ import annotations

import time
import traceback

from rclpy.node import Node

PERIOD_S = 60.0


class ErrorLog:
    """Logs errors by their kind: the exception and where it was raised, whatever its message."""

    def __init__(self, node: Node, period_s: float = PERIOD_S) -> None:
        """Start with none; `period_s` separates two errors of a kind in the log, seconds."""
        self._node = node
        self._period_s = period_s
        self._logged: dict[tuple[type[BaseException], str], float] = {}

    def add(self, error: BaseException, text: str) -> None:
        """Log an error with this message, and at debug level with its traceback, unless its kind was just logged."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind, now = (type(error), f"{place.filename}:{place.lineno}"), time.monotonic()
        if now - self._logged.get(kind, -self._period_s) < self._period_s:
            return
        self._logged[kind] = now
        log = self._node.get_logger()
        log.error(text)
        log.debug("".join(traceback.format_exception(type(error), error, error.__traceback__)))
