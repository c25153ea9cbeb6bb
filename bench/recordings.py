#!/usr/bin/env python3
"""Time and memory to read long recordings, without the odometry: bags of images, made for it.

OMP_NUM_THREADS=1 python bench/recordings.py                                  20000 frames of 640 x 480
OMP_NUM_THREADS=1 python bench/recordings.py --output docs/benchmarks.md      and update the table there
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import cv2
import numpy as np
import program
from image_pairs import pinhole, room_views
from numpy.typing import NDArray
from process_memory import resident_mib
from report import Report, machine, rich_table
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from loftr_ros.commands.arguments import positive_int
from loftr_ros.sequences.formats import open_sequence

PROGRAM = "recordings.py"
SHORT = 10  # the other recordings are that many times shorter than the first
VIEWS, VIEWS_OF_THE_LOOP = 20, 100
STEP_NS = 33_333_333
TOPIC, FRAME = "/camera/image_raw", "camera"
Image = NDArray[np.uint8]


class Kind(NamedTuple):
    """A kind of bag."""

    name: str
    suffix: str
    is_jpeg: bool


KINDS = (
    Kind("MCAP, JPEG", ".mcap", True),
    Kind("MCAP, raw", ".mcap", False),
    Kind("db3, raw", ".db3", False),
    Kind("ROS 1, raw", ".bag", False),
)


@dataclass(frozen=True)
class RecordingRow:
    """A recording: frames, size on disk, and what it costs to open and to read.

    `memory_mib` is the resident memory before it is opened, after that, and after 10, 50 and 100 % of the frames.
    """

    kind: str
    frames: int
    file_mib: float
    open_s: float
    frame_ms: float
    memory_mib: tuple[float, ...]


@dataclass(frozen=True)
class RecordingsReport:
    """The table."""

    heading: str
    rows: Sequence[RecordingRow]

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["bag", "frames", "file MiB", "open s", "ms per frame", "MiB before", "opened", "10 %", "50 %", "100 %"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per recording."""
        return [
            [
                row.kind, str(row.frames), f"{row.file_mib:.0f}", f"{row.open_s:.1f}", f"{row.frame_ms:.2f}",
                *(f"{mib:.0f}" for mib in row.memory_mib),
            ]
            for row in self.rows
        ]  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    args = _parse(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=positive_int, default=20_000, metavar="N", help="default: 20000")
    parser.add_argument("--size", nargs=2, type=positive_int, default=(640, 480), metavar=("W", "H"))
    parser.add_argument("--folder", type=Path, metavar="DIR", help="for the bags (default: a temporary one)")
    program.add_output_argument(parser)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace, command: str) -> Report:
    cv2.setNumThreads(1)
    views = room_views(pinhole(*args.size), VIEWS, VIEWS_OF_THE_LOOP)
    rows = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for number, kind in enumerate(KINDS):
            frames = args.frames if kind is KINDS[0] else max(args.frames // SHORT, 10)
            path = Path(folder) / f"{number}{kind.suffix if kind.suffix == '.bag' else ''}"
            _write(path, kind, itertools.islice(itertools.cycle(views), frames))
            rows.append(_measured(path, kind, frames))
    table = RecordingsReport(f"Reading bags, {args.size[0]} x {args.size[1]}", rows)
    program.table_console().print(rich_table(table))
    return Report(PROGRAM, command, machine(), [table])


def _measured(path: Path, kind: Kind, frames: int) -> RecordingRow:
    """Open a recording and read all of its frames once, in order."""
    file = path if path.is_file() else next(path.glob(f"*{path.suffix}"))
    memory = [resident_mib()]
    start = process_time()
    sequence = open_sequence(path)
    opened = process_time()
    memory.append(resident_mib())
    assert len(sequence) == frames
    due = {max(1, round(share * frames)) for share in (0.1, 0.5, 1.0)}
    for number, _ in enumerate(sequence, start=1):
        if number in due:
            memory.append(resident_mib())
    return RecordingRow(
        kind=kind.name,
        frames=frames,
        file_mib=file.stat().st_size / 2**20,
        open_s=opened - start,
        frame_ms=1e3 * (process_time() - opened) / frames,
        memory_mib=tuple(memory),
    )


def _write(path: Path, kind: Kind, images: Iterator[Image]) -> None:
    """Write a bag with a camera and its calibration."""
    if kind.suffix == ".bag":
        types = get_typestore(Stores.ROS1_NOETIC)
        with Writer1(path) as writer:
            _write_messages(partial(_message, types), types.serialize_ros1, types, writer, kind, images)
        return
    types = get_typestore(Stores.ROS2_HUMBLE)
    plugin = StoragePlugin.MCAP if kind.suffix == ".mcap" else StoragePlugin.SQLITE3
    with Writer2(path, version=9, storage_plugin=plugin) as writer2:
        _write_messages(partial(_message, types), types.serialize_cdr, types, writer2, kind, images)


def _write_messages(
    message: Callable[..., Any],
    serialize: Callable[[Any, str], Any],
    types: Typestore,
    writer: Any,
    kind: Kind,
    images: Iterator[Image],
) -> None:
    name, topic = ("CompressedImage", f"{TOPIC}/compressed") if kind.is_jpeg else ("Image", TOPIC)
    kinds = {topic: f"sensor_msgs/msg/{name}", TOPIC.replace("image_raw", "camera_info"): "sensor_msgs/msg/CameraInfo"}
    connections = {one: writer.add_connection(one, kind_name, typestore=types) for one, kind_name in kinds.items()}
    for index, image in enumerate(images):
        for one, kind_name in kinds.items():
            content = serialize(message(kind_name, STEP_NS * (index + 1), index, image), kind_name)
            writer.write(connections[one], STEP_NS * (index + 1), content)


def _message(types: Typestore, kind: str, stamp_ns: int, index: int, image: Image) -> Any:
    make = types.types
    height, width = image.shape
    stamp = make["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    number = {"seq": index} if "seq" in vars(make["std_msgs/msg/Header"])["__annotations__"] else {}
    header = make["std_msgs/msg/Header"](stamp=stamp, frame_id=FRAME, **number)
    if kind.endswith("CompressedImage"):
        _, jpeg = cv2.imencode(".jpg", image)
        return make[kind](header=header, format="jpeg", data=np.asarray(jpeg).ravel())
    if kind.endswith("/Image"):
        return make[kind](
            header=header, height=height, width=width, encoding="mono8", is_bigendian=0, step=width, data=image.ravel()
        )
    K = pinhole(width, height).K
    roi = make["sensor_msgs/msg/RegionOfInterest"](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    matrices = {"d": np.zeros(5), "k": K.ravel(), "r": np.eye(3).ravel(), "p": np.c_[K, np.zeros(3)].ravel()}
    named = {name.upper() if number else name: value for name, value in matrices.items()}
    return make[kind](
        header=header,
        height=height,
        width=width,
        distortion_model="plumb_bob",
        binning_x=0,
        binning_y=0,
        roi=roi,
        **named,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
