"""Recorded sequences as input of a command: options, and remarks about the input."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loftr_ros.commands.arguments import counts_per_meter, field_of_view, positive, positive_int
from loftr_ros.errors import shortened

if TYPE_CHECKING:
    from loftr_ros.odometry.config import Mode
    from loftr_ros.sequences.sequence import Sequence

ROLES = ("image", "left", "right", "depth", "truth", "wheels")  # of topics
SOURCES = "bag of ROS 1 or 2, video, or folder: KITTI, EuRoC or TUM sequence, or images"
MAX_SKIPPED = 10  # images named on the terminal


def add_sequence_arguments(parser: argparse.ArgumentParser, verb: str, several: bool = False) -> None:
    """Declare the options of `open_source`.

    Args:
        parser: of the command.
        verb: action of the command, for the help texts.
        several: whether it takes several sources, as `sources`.
    """
    if several:
        parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help=f"{SOURCES}; several if wanted")
    else:
        parser.add_argument("source", type=Path, metavar="SOURCE", help=SOURCES)
    parser.add_argument(
        "--mode",
        choices=("mono", "stereo", "rgbd"),
        help=f"cameras to {verb} (default: stereo, else rgbd, else mono, by what is there)",
    )
    parser.add_argument(
        "--stride", type=positive_int, default=1, metavar="N", help=f"{verb} every Nth frame (default: 1)"
    )
    add_format_arguments(parser)


def add_format_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the files may not specify: frame rate, unit of depth images, topics and calibration."""
    parser.add_argument(
        "--fps",
        type=positive,
        help="frame rate of images without stamps in their names (default: 30), or of a video (default: its own times)",
    )
    parser.add_argument(
        "--depth-scale",
        type=counts_per_meter,
        metavar="N",
        help="counts per meter of integer depth images: 1000 for millimeters (default: depth_scale.txt, or 5000; of a "
        "bag 1000)",
    )
    parser.add_argument(
        "--topics",
        action=TopicsAction,
        nargs="+",
        metavar="ROLE=TOPIC",
        help="topics of a bag: image, left, right, depth; truth and wheels for poses of the ground truth and of wheel "
        "odometry, on a topic or as /tf:PARENT:CHILD (default: the only camera, and poses with truth, vicon or similar "
        "in their name)",
    )
    parser.add_argument(
        "--fov",
        type=field_of_view,
        metavar="DEGREES|exif",
        help="guess the calibration of one camera that has none from its horizontal field of view, or from the focal "
        "length in the EXIF of its images; everything that comes out says so",
    )
    parser.add_argument(
        "--camera",
        nargs="+",
        type=Path,
        default=(),
        metavar="FILE",
        help="calibration of a video (default: camera.yaml beside it), of a bag (default: its own), or of images "
        "(default: camera.yaml in their folder); two files for a pair",
    )


class TopicsAction(argparse.Action):
    """Parses ROLE=TOPIC into a dictionary."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        """Add the topics to those given before."""
        topics = dict(getattr(namespace, self.dest) or {})
        for value in values:
            role, equals, topic = value.partition("=")
            if role not in ROLES or not equals or not topic:
                parser.error(f"argument --topics: {value!r} is not ROLE=TOPIC with one of {', '.join(ROLES)}")
            topics[role] = topic
        setattr(namespace, self.dest, topics)


@dataclass(frozen=True)
class Source:
    """An opened sequence.

    Attributes:
        kind: of the recording, such as bag or KITTI odometry.
        mode: cameras in use.
        sequence: the sequence with its stride.
        notes: assumptions about the input, for the user to check.
        warnings: implausible calibration or units.
    """

    kind: str
    mode: Mode
    sequence: Sequence
    notes: list[str]
    warnings: list[str]

    def print_summary(self) -> None:
        """Print what was opened, in a line."""
        sequence = self.sequence
        camera, stamps = sequence.camera, (sequence.entries[0].stamp_ns, sequence.entries[-1].stamp_ns)
        size, seconds = f"{camera.width}x{camera.height}", (stamps[1] - stamps[0]) * 1e-9
        truth = "with" if sequence.ground_truth is not None else "without"
        name = f"{shortened(sequence.name, 100)} ({self.kind})"
        frames = f"{len(sequence)} frames of {size} in {seconds:.4g} s"
        print(f"{name}, {self.mode}: {frames}, {truth} ground truth", flush=True)

    def print_remarks(self) -> None:
        """Print assumptions and warnings about the input, before the first frame."""
        if self.sequence.ground_truth_fault:
            print_remark("warning", f"no comparison with the truth: {self.sequence.ground_truth_fault}")
        for note in self.notes:
            print_remark("note", shortened(note, 400))
        for warning in self.warnings:
            print_remark("warning", warning)


def open_source(args: argparse.Namespace, max_pixels: int | None = None) -> Source:
    """Open the sequence of the options, for a matcher with this budget if given.

    Without --mode it is set to the best one that the sequence supports.

    Raises:
        SequenceError: the sequence cannot be opened.
    """
    from loftr_ros.odometry.images.working_size import size_note
    from loftr_ros.sequences.decoding_notes import decoding_notes, depth_unit_warning
    from loftr_ros.sequences.formats import layout_of, open_best, open_sequence

    settings = {"fps": args.fps, "depth_scale": args.depth_scale, "topics": args.topics, "camera": args.camera}
    settings["fov"] = args.fov
    if args.mode is None:
        args.mode, whole = open_best(args.source, **settings)
    else:
        whole = open_sequence(args.source, args.mode, **settings)
    sequence = whole.every(args.stride)
    unit = depth_unit_warning(sequence)
    warnings = [*sequence.calibration_warnings, *([unit] if unit else [])]
    size = size_note(sequence.camera, max_pixels) if max_pixels else None
    notes = [*sequence.notes, *decoding_notes(sequence), *([size] if size else [])]
    kind = layout_of(Path(args.source).expanduser()) or "sequence"
    return Source(kind, args.mode, sequence, notes, warnings)


def print_skipped(skipped: list[str]) -> None:
    """Print the unusable images, after the last frame."""
    for fault in skipped[:MAX_SKIPPED]:
        print_remark("warning", f"skipped: {shortened(fault, 400)}")
    if len(skipped) > MAX_SKIPPED:
        print_remark("warning", f"skipped: {len(skipped) - MAX_SKIPPED} more images")


def print_remark(kind: str, text: str) -> None:
    """Print a line about the input to stderr."""
    print(f"loftr-ros: {kind}: {text}", file=sys.stderr)
