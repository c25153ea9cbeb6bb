"""Images of a bag, read when they are needed: in order without a search, and at any place by the time of recording."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros.encoded_image import DecodeError, has_exif_rotation
from loftr_ros.messages.camera_choice import COMPRESSED
from loftr_ros.messages.image_decoding import SIXTEEN_BITS, EncodingError, ImageError, decoder, stored_image
from loftr_ros.sequences.errors import DamagedImageError, SequenceError
from loftr_ros.sequences.images import RecordedImage, known_depth
from loftr_ros.sequences.recordings.bag_file import BagFile, Message

# Messages kept of those passed: a right or depth image may be recorded some messages before the left one.
_KEPT = 6
# A later image within this time is reached by reading on, and another by a search in the index.
_READ_ON_NS = 2_000_000_000


class ImageMessages:
    """Reads the messages of the image topics of a bag, by topic, time of recording and stamp."""

    def __init__(self, bag: BagFile, topics: Collection[str]) -> None:
        """Take an open bag and its topics that are read."""
        self.bag = bag
        self._topics = frozenset(topics)
        self._rest: Iterator[Message] = iter(())
        self._time_ns = -_READ_ON_NS  # of the last message
        self._passed: OrderedDict[tuple[str, int, int], Message] = OrderedDict()

    def find(self, topic: str, time_ns: int, stamp_ns: int) -> Message | None:
        """Return a message, or None if there is none. Raises SequenceError for a damaged bag."""
        key = topic, time_ns, stamp_ns
        if key not in self._passed and not (
            self._time_ns <= time_ns <= self._time_ns + _READ_ON_NS and self._read_on(key)
        ):
            self._rest = self.bag.messages(self._topics, start_ns=time_ns)
            self._passed.clear()
            self._read_on(key)
        return self._passed.get(key)

    def _read_on(self, key: tuple[str, int, int]) -> bool:
        """Read until a message is found; returns False after its time."""
        for message in self._rest:
            self._time_ns = message.time_ns
            read = message.topic, message.time_ns, self.bag.header_stamp_ns(message)
            self._passed[read] = message
            if len(self._passed) > _KEPT:
                self._passed.popitem(last=False)
            if read == key:
                return True
            if message.time_ns > key[1]:
                break
        return False


@dataclass(frozen=True, eq=False)
class BagImage(RecordedImage):
    """An image message.

    Attributes:
        messages: of its bag.
        topic: of the message.
        time_ns, header_ns: time of recording, and stamp in the header.
        stamp_ns: of the image: that of the header, if it has one.
    """

    messages: ImageMessages
    topic: str
    time_ns: int
    header_ns: int
    stamp_ns: int

    @property
    def name(self) -> str:  # type: ignore[override]
        """Topic and stamp."""
        return f"the image on {self.topic} at {self.stamp_ns * 1e-9:.6f} s"

    @property
    def parent(self) -> Path:  # type: ignore[override]
        """The bag."""
        return self.messages.bag.path

    def __str__(self) -> str:
        return f"{self.parent}: {self.name}"

    def gray(self) -> NDArray[np.uint8]:
        """Return the (H, W) gray image."""
        return self._decoded(self._message(), depth=False)

    def depth(self, units_per_meter: float) -> NDArray[np.float32]:
        """Return (H, W) depth in meters."""
        message = self._message()
        encoding = message.format if self._is_compressed else message.encoding
        is_integer = encoding.partition(";")[0] in SIXTEEN_BITS
        return known_depth(self._decoded(message, depth=True), units_per_meter if is_integer else 1.0)

    def as_stored(self) -> NDArray[Any]:
        """Return the image with its stored data type."""
        with self._as_sequence_error():
            return stored_image(self._message(), self.topic, compressed=self._is_compressed)

    def has_exif_rotation(self) -> bool:
        """Return whether an EXIF orientation rotates the image."""
        try:
            return self._is_compressed and has_exif_rotation(bytes(self._message().data))
        except DecodeError as error:
            raise DamagedImageError(f"{self} cannot be decoded: {error}.") from error

    def frame_id(self) -> str:
        """Return the frame in the header. Raises SequenceError."""
        return str(self._message().header.frame_id).lstrip("/")

    @property
    def _is_compressed(self) -> bool:
        return self.messages.bag.topics[self.topic] == COMPRESSED

    def _message(self) -> Any:
        message = self.messages.find(self.topic, self.time_ns, self.header_ns)
        if message is None:
            raise SequenceError(f"{self} is no longer in the bag: it was changed while it is read.")
        try:
            return self.messages.bag.decoded(message)
        except SequenceError as error:
            raise DamagedImageError(f"{self} is damaged: {error}") from error

    def _decoded(self, message: Any, *, depth: bool) -> NDArray[Any]:
        """Decode, depth of integers in counts."""
        decode = decoder(depth=depth, compressed=self._is_compressed, meters_per_count=1.0)
        with self._as_sequence_error():
            pixels = decode(message, self.topic)
        return pixels if pixels.flags.writeable else pixels.copy()  # a view of the message; PyTorch warns of it

    @contextmanager
    def _as_sequence_error(self) -> Iterator[None]:
        """Convert errors of the decoding; an encoding that is not supported is that of all images of the topic."""
        try:
            yield
        except EncodingError as error:
            raise SequenceError(f"{self.parent} cannot be used: {error}.") from error
        except ImageError as error:
            raise DamagedImageError(f"{self} is damaged: {error}.") from error
