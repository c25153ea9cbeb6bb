"""Writes a bag of ROS 2: a single MCAP file, which needs no metadata.yaml. By the library rosbags, without ROS."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.output import OutputError, make_folder


@contextmanager
def writing_bag(path: Path) -> Iterator[BagWriter]:
    """Yield a writer of a bag, which replaces `path` at the end; after an error too, with what there is until then.

    Raises:
        OutputError: the file cannot be written, or its name does not end with .mcap.
    """
    from rosbags.rosbag2 import StoragePlugin, Writer

    if path.suffix != ".mcap":
        raise OutputError(f"{path} cannot be written: a bag is written as .mcap, so give such a name.")
    make_folder(path.parent, path.name)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
            parts = Path(folder) / "bag"
            writer = Writer(parts, version=9, storage_plugin=StoragePlugin.MCAP)
            writer.open()
            try:
                yield BagWriter(writer)
            finally:
                writer.close()
                (parts / "bag.mcap").replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error


class BagWriter:
    """Makes messages and writes them."""

    def __init__(self, writer: Any) -> None:
        """Take an open writer of rosbags."""
        from rosbags.typesys import Stores, get_typestore

        self._writer = writer
        self._types = get_typestore(Stores.ROS2_HUMBLE)
        self._connections: dict[str, Any] = {}

    def make(self, kind: str, **fields: Any) -> Any:
        """Return a message of a type such as geometry_msgs/Point, with all of its fields."""
        package, _, name = kind.partition("/")
        return self._types.types[f"{package}/msg/{name}"](**fields)

    def write(self, topic: str, kind: str, stamp_ns: int, **fields: Any) -> None:
        """Write a message, recorded at its stamp."""
        content = self._types.serialize_cdr(self.make(kind, **fields), kind.replace("/", "/msg/"))
        self.write_serialized(topic, kind, stamp_ns, content)

    def write_serialized(self, topic: str, kind: str, recorded_ns: int, content: bytes | memoryview) -> None:
        """Write a message that ROS has serialized."""
        if topic not in self._connections:
            full = kind.replace("/", "/msg/")
            self._connections[topic] = self._writer.add_connection(topic, full, typestore=self._types)
        self._writer.write(self._connections[topic], recorded_ns, content)

    def header(self, stamp_ns: int, frame: str) -> Any:
        """Return a header."""
        stamp = self.make("builtin_interfaces/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        return self.make("std_msgs/Header", stamp=stamp, frame_id=frame)

    def vector(self, xyz: Array, kind: str = "geometry_msgs/Vector3") -> Any:
        """Return a vector or a point."""
        x, y, z = np.asarray(xyz, np.float64).tolist()
        return self.make(kind, x=x, y=y, z=z)

    def rotation(self, T: Array) -> Any:
        """Return the rotation of a (4, 4) pose."""
        x, y, z, w = se3.quaternion(T)
        return self.make("geometry_msgs/Quaternion", x=x, y=y, z=z, w=w)

    def pose(self, T: Array) -> Any:
        """Return a (4, 4) pose."""
        position = self.vector(T[:3, 3], "geometry_msgs/Point")
        return self.make("geometry_msgs/Pose", position=position, orientation=self.rotation(T))

    def transform(self, T: Array) -> Any:
        """Return a (4, 4) pose as a transform."""
        return self.make("geometry_msgs/Transform", translation=self.vector(T[:3, 3]), rotation=self.rotation(T))

    @property
    def topics(self) -> frozenset[str]:
        """Topics that were written."""
        return frozenset(self._connections)
