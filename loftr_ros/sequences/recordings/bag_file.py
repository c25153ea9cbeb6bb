"""A bag of ROS 1 or ROS 2: topics and messages, by the library rosbags, which needs no ROS.

The messages of a camera have the same fields in all versions of ROS, so the definitions in the bag are not used: bags
without definitions, or with those of other types that cannot be parsed, are read all the same.
"""

from __future__ import annotations

import heapq
import struct
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from loftr_ros.errors import shortened
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.recordings.bag_paths import bag_files

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

# The fixes of a damaged bag, by suffix.
_REPAIRS = {
    ".mcap": "recover it with: mcap recover FILE -o FIXED.mcap",
    ".db3": "recover it with: sqlite3 FILE .recover | sqlite3 FIXED.db3",
    ".bag": "recover it with: rosbag reindex FILE",
}
# Types with another name and the same fields.
_TRANSFORMS = "tf2_msgs/msg/TFMessage"
_SAME_AS = {"tf/msg/tfMessage": _TRANSFORMS}
# What rosbags says of common faults, and the sentence for the user.
_REASONS = {
    "end magic is invalid": "it ends early, as a recording that was interrupted; {repair}",
    "Invalid MCAP footer": "it ends early, as a recording that was interrupted; {repair}",
    "Truncated record": "it ends early or is damaged; {repair}",
    "not indexed": "it has no index, as a recording that was interrupted; {repair}",
    "Profile is not ros2": "its messages are not those of ROS 2; convert it: ros2 bag convert",
    "compression": "{error}; write it anew without compression or with zstd: ros2 bag convert, rosbag decompress",
    "Serialization format": "{error}; convert it to cdr: ros2 bag convert",
    "files are missing": "{error}; copy the whole folder of the bag",
}


class Message(NamedTuple):
    """A message as it is stored: topic, time at which it was recorded in nanoseconds, and serialized content."""

    topic: str
    time_ns: int
    content: bytes


class BagFile:
    """An open bag; its files are closed with the object.

    Attributes:
        path: of the bag.
        topics: type of message by topic, without topics that have no message.
        counts: number of messages by topic.
    """

    def __init__(self, path: Path) -> None:
        """Open a bag. Raises SequenceError."""
        self.path = path
        files = bag_files(path)
        self._name = str(files[0] if len(files) == 1 else path)
        self._is_ros1 = files[0].suffix.lower() == ".bag"
        self._repair = _repair(files[0])
        stack = ExitStack()
        with self._as_sequence_error(), ExitStack() as on_error:
            _check_files(files)
            on_error.push(stack)
            reader = _reader(path, is_ros1=self._is_ros1)
            self._readers = [stack.enter_context(reader(file)) for file in files]
            on_error.pop_all()
        self._close = weakref.finalize(self, stack.close)
        self._types: Typestore = _types(is_ros1=self._is_ros1)
        connections = [connection for r in self._readers for connection in r.connections if connection.msgcount]
        self.topics = {c.topic: _SAME_AS.get(str(c.msgtype), str(c.msgtype)) for c in connections}
        self.counts = Counter[str]()
        for connection in connections:
            self.counts[connection.topic] += connection.msgcount
        if not self.topics and any(reader.message_count for reader in self._readers):
            raise SequenceError(self.damage("its index does not tell the topics of its messages"))
        if not self.topics:
            raise SequenceError(f"{self._name} holds no messages: record it again while the camera publishes.")
        formats = {str(getattr(connection.ext, "serialization_format", "cdr")) for connection in connections}
        if foreign := formats - {"cdr"}:
            raise SequenceError(f"{self._name} holds messages as {', '.join(sorted(foreign))}: convert them to cdr.")

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Message]:
        """Yield the messages of some topics in the order in which they were recorded.

        Args:
            topics: that are wanted.
            start_ns, stop_ns: yield those recorded from `start_ns` on and before `stop_ns`.

        Raises:
            SequenceError: the bag is damaged.
        """
        with self._as_sequence_error():
            parts = []
            for reader in self._readers:
                connections = [connection for connection in reader.connections if connection.topic in topics]
                if connections:
                    parts.append(reader.messages(connections, start_ns, stop_ns))
            for connection, time_ns, content in heapq.merge(*parts, key=lambda part: part[1]):
                yield Message(connection.topic, time_ns, content)

    def decoded(self, message: Message) -> Any:
        """Return the fields of a message, named as in ROS 2. Raises SequenceError for a damaged one."""
        kind = self.topics[message.topic]
        with self._as_sequence_error(f"a message on {message.topic}"):
            if not self._is_ros1:
                return self._types.deserialize_cdr(message.content, kind)
            fields = self._types.deserialize_ros1(message.content, kind)
            return _as_in_ros2(fields) if kind == "sensor_msgs/msg/CameraInfo" else fields

    def header_stamp_ns(self, message: Message) -> int:
        """Return the stamp in the header, which begins a message, without decoding the rest."""
        data = message.content  # 4 bytes of encapsulation or, in ROS 1, sequence number; seconds; nanoseconds
        is_big_endian = not self._is_ros1 and data[1:2] == b"\0"
        seconds, nanoseconds = struct.unpack_from(">iI" if is_big_endian else "<iI", data.ljust(12, b"\0"), 4)
        return int(seconds) * 10**9 + int(nanoseconds)

    def after_stamp(self, message: Message) -> bytes:
        """Return the content after the stamp: equal in messages that differ only in their time."""
        return message.content[12:]

    def damage(self, what: str) -> str:
        """Return the error message of a damaged bag, with the fix."""
        return f"{self._name} is damaged ({what}); {self._repair}."

    @contextmanager
    def _as_sequence_error(self, what: str = "") -> Iterator[None]:
        """Convert errors of the library to a SequenceError: it raises many kinds at damaged files."""
        name = f"{what} of {self._name}" if what else self._name
        try:
            yield
        except SequenceError:
            raise
        except ModuleNotFoundError as error:
            raise SequenceError(f"{name} is a bag, which takes {error.name}: pip install rosbags") from error
        except OSError as error:
            reason, file = error.strerror or shortened(error), error.filename or name
            raise SequenceError(f"{file} cannot be read: {reason}; check the file and its permissions.") from error
        except Exception as error:
            raise SequenceError(f"{name} cannot be read: {self._reason(error)}.") from error

    def _reason(self, error: Exception) -> str:
        said = shortened(error, 300).rstrip(".") or type(error).__name__
        wording = next((text for part, text in _REASONS.items() if part in said), "it is damaged ({error}); {repair}")
        return wording.format(error=said, repair=self._repair)


def _reader(path: Path, *, is_ros1: bool) -> Callable[[Path], Any]:
    """Return the class that reads files of this kind."""
    if is_ros1:
        from rosbags.rosbag1 import Reader as Reader1

        return Reader1
    from rosbags.rosbag2 import Reader

    return Reader


def _types(*, is_ros1: bool) -> Typestore:
    """Return the definitions of the standard messages."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    if not is_ros1:
        return get_typestore(Stores.ROS2_HUMBLE)
    types = get_typestore(Stores.ROS1_NOETIC)
    types.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", _TRANSFORMS))
    return types


def _check_files(files: list[Path]) -> None:
    """Raise OSError for a file that cannot be read, which rosbags reports as damage.

    Raises:
        SequenceError: the last messages of a database are in a log beside it, which is not read.
    """
    parts = [part for file in files for part in (file.iterdir() if file.is_dir() else [file])]
    for part in (part for part in parts if part.suffix.lower() in _REPAIRS):
        with part.open("rb"):
            pass
        log = part.with_name(f"{part.name}-wal")
        if log.is_file() and log.stat().st_size:
            raise SequenceError(
                f"{part} is still open or was not closed: after the recorder has ended, merge its log, "
                f"sqlite3 {part.name} 'PRAGMA wal_checkpoint(TRUNCATE)'."
            )


def _repair(file: Path) -> str:
    files = [file, *(sorted(file.iterdir()) if file.is_dir() else [])]
    suffix = next((one.suffix.lower() for one in files if one.suffix.lower() in _REPAIRS), ".mcap")
    return _REPAIRS[suffix]


def _as_in_ros2(info: Any) -> SimpleNamespace:
    """Return a CameraInfo of ROS 1 with the names of ROS 2, which are lower case."""
    names = ("header", "width", "height", "distortion_model", "binning_x", "binning_y", "roi")
    matrices = {name.lower(): getattr(info, name) for name in ("D", "K", "R", "P")}
    return SimpleNamespace(**{name: getattr(info, name) for name in names}, **matrices)
