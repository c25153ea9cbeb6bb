"""What came on one topic: all stamps and times of arrival, and the first messages whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from loftr_ros.ros.messages.time import nanoseconds

# Messages that are kept whole of one topic, bytes: 20 color images of 1920x1080.
_KEPT_BYTES = 2**27


@dataclass(eq=False)
class TopicLog:
    """Messages with a header, in the order of their arrival.

    Attributes:
        keep: how many messages are kept whole.
        stamps_ns, arrivals_ns: one a message, nanoseconds; of the header, and of the clock of the node.
        frame_ids: all that occurred.
        bytes: of the data of all images.
        messages: the first ones.
    """

    keep: int
    stamps_ns: list[int] = field(default_factory=list)
    arrivals_ns: list[int] = field(default_factory=list)
    frame_ids: set[str] = field(default_factory=set)
    bytes: int = 0
    messages: list[Any] = field(default_factory=list)

    def add(self, message: Any, arrival_ns: int) -> None:
        """Take the next message."""
        self.stamps_ns.append(nanoseconds(message.header.stamp))
        self.arrivals_ns.append(arrival_ns)
        self.frame_ids.add(message.header.frame_id)
        self.bytes += len(getattr(message, "data", b""))
        if not self.messages or (len(self.messages) < self.keep and self.bytes <= _KEPT_BYTES):
            self.messages.append(message)

    def __len__(self) -> int:
        return len(self.stamps_ns)
