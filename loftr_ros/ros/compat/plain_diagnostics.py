"""The part of diagnostic_updater that the node needs: same names, same messages.

See `Updater` and `DiagnosticStatusWrapper` of https://docs.ros.org/en/rolling/p/diagnostic_updater/.
"""

from __future__ import annotations

from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from std_msgs.msg import Header


class StatusWrapper:
    """A status under construction."""

    def __init__(self, name: str, hardware_id: str) -> None:
        """Start with OK and no values."""
        self.message = DiagnosticStatus(name=name, hardware_id=hardware_id)

    def summary(self, level: bytes, text: str) -> None:
        """Set level and message."""
        self.message.level, self.message.message = level, text

    def add(self, key: str, value: str) -> None:
        """Append a value."""
        self.message.values.append(KeyValue(key=key, value=value))


Task = Callable[[StatusWrapper], StatusWrapper]


class Updater:
    """Publishes the status of tasks on /diagnostics.

    Attributes:
        period: seconds between two updates.
        timer: makes them.
    """

    def __init__(self, node: Node, period: float) -> None:
        """Create the publisher and the timer."""
        self._node = node
        self._hardware_id = ""
        self._tasks: dict[str, Task] = {}
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.period = period
        self.timer = node.create_timer(period, self.force_update)

    def setHardwareID(self, hardware_id: str) -> None:
        """Set the `hardware_id` of every status."""
        self._hardware_id = hardware_id

    def add(self, name: str, task: Task) -> None:
        """Add a task, which fills in its status."""
        self._tasks[name] = task

    def force_update(self) -> None:
        """Publish the status of every task now."""
        header = Header(stamp=self._node.get_clock().now().to_msg())
        node = self._node.get_name()
        wrappers = [task(StatusWrapper(f"{node}: {name}", self._hardware_id)) for name, task in self._tasks.items()]
        self._publisher.publish(DiagnosticArray(header=header, status=[wrapper.message for wrapper in wrappers]))
