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
    RCLError or, with Jazzy, now and then in a crash. A script that starts a program in the background has it ignore
    SIGINT, which is how this package's programs are asked to end: here it counts all the same.
    """
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        rclpy.try_shutdown()
