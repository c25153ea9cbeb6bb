"""The process of the node: initializes ROS and spins the node until it is stopped."""

from __future__ import annotations

import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.task import Future

from loftr_ros.errors import LoftrRosError
from loftr_ros.ros.executor import NodeExecutor
from loftr_ros.ros.initialization import initialize, ros_start_errors
from loftr_ros.ros.vo_node import NodeStartError, VoNode


def run_node(argv: list[str] | None, on_stop: Callable[[Callable[[], None]], None]) -> int:
    """Run the node until it is stopped. Returns the exit code: 0, or 2 for an invalid parameter, argument or input.

    Args:
        argv: arguments of ROS; None for those of the program.
        on_stop: receives the function that stops the node, which may be called from any thread.
    """
    try:
        initialize(argv)
        stopped: Future[None] = Future()
        on_stop(lambda: stopped.set_result(None))
        _run(stopped)
    except LoftrRosError as error:
        print(f"vo_node: error: {error}", file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()
    return 0


def _run(stopped: Future[None]) -> None:
    with ros_start_errors():
        node = VoNode()
    executor = NodeExecutor()
    try:
        executor.add_node(node)
        stopped.add_done_callback(lambda _: node.interrupt())
        node.start()
        _spin(node, executor, stopped)
    finally:
        node.close()
        executor.shutdown()
        node.destroy_node()


def _spin(node: VoNode, executor: NodeExecutor, stopped: Future[None]) -> None:
    """Spin, whatever callbacks raise, until the node is stopped and no trajectory is being written."""
    while not stopped.done() or node.saving:
        try:
            if stopped.done():
                executor.spin_once(timeout_sec=0.1)
            else:
                executor.spin_until_future_complete(stopped)
        except ExternalShutdownException:
            return
        except NodeStartError:
            raise
        except Exception as error:
            node.errors.add(error)
