"""Errors of callbacks: none ends the node, and the caller of a service always gets a response."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import await_or_execute
from rclpy.node import Node

from loftr_ros.errors import LoftrRosError
from loftr_ros.ros.error_log import ErrorLog
from loftr_ros.ros.publishers.diagnostics import user_message

_SHOWN_S = 10.0


class CallbackErrors:
    """Exceptions of the callbacks of a node: logged by kind, and shown by the diagnostics for ten seconds."""

    def __init__(self, node: Node) -> None:
        """Start without errors."""
        self._node = node
        self._log = ErrorLog(node)
        self._latest: tuple[float, bytes, str] | None = None
        self._count = 0

    def add(self, error: Exception) -> str:
        """Log an error and return its message."""
        text = user_message(error)
        level = DiagnosticStatus.WARN if isinstance(error, LoftrRosError) else DiagnosticStatus.ERROR
        self._latest = time.monotonic(), level, text
        self._count += 1
        self._log.add(error, text)
        return text

    def recent(self) -> tuple[bytes, str] | None:
        """Return level and text for the diagnostics, or None; the refusal of a request is a warning."""
        if self._latest is None or self._latest[0] < time.monotonic() - _SHOWN_S:
            return None
        return self._latest[1:]

    def diagnostics(self) -> dict[str, str]:
        """Return names and values for the diagnostics."""
        return {"errors": str(self._count), "last error": self._latest[2]} if self._latest else {"errors": "0"}

    def guard_services(self) -> None:
        """Let every service of the node respond with the error if its callback raises one."""
        for service in self._node.services:
            service.callback = self._guarded(service.callback)

    def _guarded(self, callback: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        async def guarded(request: Any, response: Any) -> Any:
            try:
                return await await_or_execute(callback, request, response)
            except Exception as error:
                return _refused(request, type(response)(), self.add(error))

        return guarded


def _refused(request: Any, response: Any, text: str) -> Any:
    """Put the message into the response, if its type has a field for it; a new response has `success` false."""
    if hasattr(response, "message"):
        response.message = text
    elif hasattr(response, "results") and hasattr(request, "parameters"):
        response.results = [SetParametersResult(successful=False, reason=text) for _ in request.parameters]
    elif isinstance(getattr(response, "result", None), SetParametersResult):
        response.result.reason = text
    return response
