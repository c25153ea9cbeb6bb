"""The part of diagnostic_updater that stands in for it: the same message."""

from types import SimpleNamespace

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from loftr_ros.ros.compat.plain_diagnostics import Updater


class PaperNode:
    """Keeps what is published."""

    def __init__(self):
        self.published, self.timers = [], []

    def create_publisher(self, kind, topic, _):
        assert (kind, topic) == (DiagnosticArray, "/diagnostics")
        return SimpleNamespace(publish=self.published.append)

    def create_timer(self, period, callback):
        self.timers.append((period, callback))
        return "timer"

    def get_clock(self):
        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: Time(sec=7)))

    def get_name(self):
        return "vo"


def test_every_update_is_a_status_of_each_task():
    node = PaperNode()
    updater = Updater(node, 0.5)
    updater.setHardwareID("none")
    updater.add("odometry", lambda status: status.summary(DiagnosticStatus.WARN, "lost") or fill(status))
    assert (updater.period, updater.timer, node.timers) == (0.5, "timer", [(0.5, updater.force_update)])
    updater.force_update()
    (message,) = node.published
    (status,) = message.status
    assert message.header.stamp.sec == 7
    assert (status.name, status.hardware_id, status.level, status.message) == (
        "vo: odometry",
        "none",
        DiagnosticStatus.WARN,
        "lost",
    )
    assert [(pair.key, pair.value) for pair in status.values] == [("rate", "3"), ("age", "1")]


def fill(status):
    status.add("rate", "3")
    status.add("age", "1")
    return status
