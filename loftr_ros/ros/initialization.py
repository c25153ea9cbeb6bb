"""Start of ROS in a program, with its errors as sentences: arguments, environment and security that it refuses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from loftr_ros.errors import LoftrRosError, shortened

_PLACES = re.compile(r",? at \S+\.c(pp)?:\d+")  # in the source of ROS
_PREFIXES = re.compile(r"^(failed to initialize rcl|error creating node): ")
_LIMIT = 400


class RosStartError(LoftrRosError):
    """ROS refuses the arguments after --ros-args, its environment variables, or the security of the enclave."""


@contextmanager
def ros_start_errors() -> Iterator[None]:
    """Raise RosStartError for what ROS refuses in the context: the initialization, or the creation of a node."""
    try:
        yield
    except rclpy_implementation.UnknownROSArgsError as error:
        unknown = str(error).strip("[]")  # of a list
        raise RosStartError(f"ROS cannot start: after --ros-args, {unknown} is unknown") from error
    except (rclpy_implementation.RCLError, NameValidationException) as error:
        raise RosStartError(f"ROS cannot start: {_sentence(str(error))}") from error


def initialize(args: list[str] | None = None) -> None:
    """Initialize ROS without its signal handlers. Raises RosStartError.

    Args:
        args: arguments of ROS; None for those of the program.
    """
    with ros_start_errors():
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)


def create_node(name: str, namespace: str = "/loftr") -> Node:
    """Create a node. Raises RosStartError."""
    with ros_start_errors():
        return rclpy.create_node(name, namespace=namespace)


def _sentence(text: str) -> str:
    """Return what ROS says, without places in its source."""
    said = shortened(_PREFIXES.sub("", _PLACES.sub("", text)), _LIMIT).rstrip(" .,:")
    if os.environ.get("ROS_SECURITY_ENABLE", "").lower() == "true":
        said += "; ROS_SECURITY_ENABLE is true: check ROS_SECURITY_KEYSTORE, and --enclave after --ros-args"
    return said
