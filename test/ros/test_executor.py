"""A message that cannot be taken does not stop the node: its callbacks are called again."""

import os

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor

from loftr_ros.ros.executor import NodeExecutor


@pytest.fixture
def node(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=1 + os.getpid() % 100)
    node = rclpy.create_node("counting", context=context)
    yield node
    node.destroy_node()
    context.shutdown()


def test_callbacks_go_on(node, monkeypatch):
    """Two timers of one callback group, of which the first cannot be taken once. That of rclpy calls none any more."""
    calls, failures = [], []
    take = SingleThreadedExecutor._take_timer

    def taken(self, timer):
        if not failures:
            failures.append(timer)
            raise MemoryError("no memory for the message")
        return take(self, timer)

    monkeypatch.setattr(SingleThreadedExecutor, "_take_timer", taken)
    for name in "ab":
        node.create_timer(0.01, lambda name=name: calls.append(name))
    executor = NodeExecutor(context=node.context)
    executor.add_node(node)
    with pytest.raises(MemoryError, match="no memory"):
        executor.spin_once(timeout_sec=1.0)
    for _ in range(20):
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    assert set(calls) == {"a", "b"}
