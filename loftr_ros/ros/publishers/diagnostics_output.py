"""The topic /diagnostics: by diagnostic_updater where ROS has it, with its parameters; a plain message elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from std_msgs.msg import Header

try:
    from diagnostic_updater import Updater
except ImportError:
    Updater = None

PARAMETERS = "diagnostic_updater."  # what those of diagnostic_updater begin with
_TASK, _HARDWARE = "odometry", "none"
_PERIOD_S = 1.0


@dataclass(frozen=True)
class Report:
    """What a node says of itself.

    Attributes:
        level: of `DiagnosticStatus`.
        text: one sentence.
        values: by name.
    """

    level: bytes
    text: str
    values: dict[str, str]


class DiagnosticsOutput:
    """Publishes one status every second, and at once when asked to."""

    def __init__(self, node: Node, report: Callable[[], Report]) -> None:
        """Begin with the next spin of the node."""
        self._node = node
        self._report = report
        period = _PERIOD_S
        if Updater is None:
            self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
            self.publish = self._publish_plainly
        else:
            updater = Updater(node, _PERIOD_S)
            updater.setHardwareID(_HARDWARE)
            updater.add(_TASK, self._fill)
            updater.timer.cancel()
            self.publish, period = updater.force_update, updater.period
        # Not by the node's clock, as that of diagnostic_updater: simulated time may stand still, which is worth a
        # diagnostic.
        self._timer = node.create_timer(period, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _fill(self, status: Any) -> Any:
        """Put the report into a DiagnosticStatusWrapper."""
        report = self._report()
        status.summary(report.level, report.text)
        for name, value in report.values.items():
            status.add(name, value)
        return status

    def _publish_plainly(self) -> None:
        report = self._report()
        values = [KeyValue(key=name, value=value) for name, value in report.values.items()]
        name = f"{self._node.get_name()}: {_TASK}"  # as diagnostic_updater has it
        status = DiagnosticStatus(
            level=report.level, name=name, message=report.text, hardware_id=_HARDWARE, values=values
        )
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._publisher.publish(DiagnosticArray(header=header, status=[status]))
