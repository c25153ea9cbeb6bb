"""The topic /diagnostics, by diagnostic_updater with its parameters where that is installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from loftr_ros.ros.compat.diagnostics import Updater

PARAMETERS = "diagnostic_updater."  # prefix of the parameters of diagnostic_updater
_TASK, _HARDWARE = "odometry", "none"
_PERIOD_S = 1.0


@dataclass(frozen=True)
class Report:
    """Content of a status.

    Attributes:
        level: of `DiagnosticStatus`.
        text: one sentence.
        values: by name.
    """

    level: bytes
    text: str
    values: dict[str, str]


class DiagnosticsOutput:
    """Publishes one status every second, and on `publish`."""

    def __init__(self, node: Node, report: Callable[[], Report]) -> None:
        """Start the timer; `report` makes the content of each status."""
        self._report = report
        updater = Updater(node, _PERIOD_S)
        updater.setHardwareID(_HARDWARE)
        updater.add(_TASK, self._fill)
        updater.timer.cancel()
        self.publish: Callable[[], None] = updater.force_update
        # On the steady clock, unlike the timer of diagnostic_updater: simulated time may stand still, which is worth a
        # diagnostic.
        self._timer = node.create_timer(updater.period, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _fill(self, status: Any) -> Any:
        """Put the report into a DiagnosticStatusWrapper."""
        report = self._report()
        status.summary(report.level, report.text)
        for name, value in report.values.items():
            status.add(name, value)
        return status
