"""ROS for a program that has its own loop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.signals import SignalHandlerOptions


@contextmanager
def ros_session() -> Iterator[None]:
    """Have ROS up inside; Ctrl-C and SIGTERM raise KeyboardInterrupt there.

    The handlers of rclpy would shut ROS down under the feet of whatever the program is doing with it, which ends in an
    RCLError or, with Jazzy, now and then in a crash.
    """
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        rclpy.try_shutdown()
