"""What the stamps of a stream say: time goes on, stands still, or has jumped back."""

from __future__ import annotations

from enum import Enum, auto

# Messages that overtake each other, and clocks that are set right, differ by less.
_JUMP_NS = 1_000_000_000


class Order(Enum):
    """How a stamp relates to the newest one before it.

    NEXT: it is later. DUPLICATE: it is the same. STALE: it is a little earlier, or no time at all. JUMP: it is a second
    earlier or more, so that time has started over, as when a recording is played in a loop.
    """

    NEXT = auto()
    DUPLICATE = auto()
    STALE = auto()
    JUMP = auto()


class StampOrder:
    """Judges each stamp by the newest before it."""

    def __init__(self) -> None:
        """Start with none."""
        self.newest_ns: int | None = None

    def judge(self, stamp_ns: int) -> Order:
        """Take the next stamp, nanoseconds."""
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
