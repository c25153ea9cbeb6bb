"""Stamps of messages as integer nanoseconds."""

from __future__ import annotations

from builtin_interfaces.msg import Time

_END_NS = 2**31 * 10**9  # seconds are int32


def time_message(stamp_ns: int) -> Time:
    """Return the message of integer nanoseconds."""
    return Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def nanoseconds(stamp: Time) -> int:
    """Return the integer nanoseconds of a message."""
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def is_valid(stamp_ns: int) -> bool:
    """Return whether integer nanoseconds fit a message, which nanoseconds of more than a second may exceed."""
    return 0 <= stamp_ns < _END_NS
