"""ROS in programs with their own main loop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import rclpy

from loftr_ros.interruption import stop_signals
from loftr_ros.ros.initialization import initialize


@contextmanager
def ros_session() -> Iterator[None]:
    """Initialize ROS for the context; SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in it.

    The handlers of rclpy would shut ROS down while it is in use, which raises RCLError or, with Jazzy, crashes now and
    then. SIGINT works even in a program that a script started in the background, which ignores it by default.

    Raises:
        RosStartError: ROS refuses its arguments or environment variables.
    """
    initialize()
    before = {number: signal.signal(number, signal.default_int_handler) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        rclpy.try_shutdown()
