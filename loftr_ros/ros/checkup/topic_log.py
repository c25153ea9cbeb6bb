"""Log of one topic: stamps and arrival times of all messages, and the first messages themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from loftr_ros.ros.messages.time import nanoseconds

# Memory for the stored messages of one topic, bytes: 20 color images of 1920x1080.
_KEPT_BYTES = 2**27


@dataclass(eq=False)
class TopicLog:
    """Messages with a header, in the order of their arrival.

    Attributes:
        keep: number of messages to store.
        stamps_ns, arrivals_ns: of each message, nanoseconds; by the header, and by the clock of the node.
        frame_ids: of all messages.
        bytes: total size of the image data.
        messages: the first ones.
    """

    keep: int
    stamps_ns: list[int] = field(default_factory=list)
    arrivals_ns: list[int] = field(default_factory=list)
    frame_ids: set[str] = field(default_factory=set)
    bytes: int = 0
    messages: list[Any] = field(default_factory=list)

    def add(self, message: Any, arrival_ns: int) -> None:
        """Add a message."""
        self.stamps_ns.append(nanoseconds(message.header.stamp))
        self.arrivals_ns.append(arrival_ns)
        self.frame_ids.add(message.header.frame_id)
        self.bytes += len(getattr(message, "data", b""))
        if not self.messages or (len(self.messages) < self.keep and self.bytes <= _KEPT_BYTES):
            self.messages.append(message)

    def __len__(self) -> int:
        return len(self.stamps_ns)
