"""Order of the stamps of a stream: increasing, duplicate, stale, or a jump back in time."""

from __future__ import annotations

from enum import Enum, auto

# Reordered messages and clock corrections differ by less.
_JUMP_NS = 1_000_000_000


class Order(Enum):
    """Relation of a stamp to the newest one before it.

    NEXT: later. DUPLICATE: equal. STALE: less than a second earlier, or negative. JUMP: a second earlier or more, as
    when a recording is played in a loop.
    """

    NEXT = auto()
    DUPLICATE = auto()
    STALE = auto()
    JUMP = auto()


class StampOrder:
    """Compares each stamp with the newest before it."""

    def __init__(self) -> None:
        """Start with none."""
        self.newest_ns: int | None = None

    def judge(self, stamp_ns: int) -> Order:
        """Return the order of the next stamp, nanoseconds."""
        newest = self.newest_ns
        if stamp_ns < 0:
            return Order.STALE
        if newest is None or stamp_ns > newest:
            self.newest_ns = stamp_ns
            return Order.NEXT
        if newest - stamp_ns >= _JUMP_NS:
            self.newest_ns = stamp_ns
            return Order.JUMP
        return Order.DUPLICATE if stamp_ns == newest else Order.STALE
