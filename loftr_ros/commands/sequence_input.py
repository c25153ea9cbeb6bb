"""Recorded sequences as input of a command: options, and remarks about the input."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loftr_ros.commands.arguments import counts_per_meter, positive, positive_int
from loftr_ros.errors import shortened

if TYPE_CHECKING:
    from loftr_ros.sequences.sequence import Sequence

MAX_SKIPPED = 10  # images named on the terminal


def add_sequence_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Declare the options of `open_source`; `verb` is the action of the command for the help texts."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="KITTI, EuRoC or TUM sequence, or folder of images")
    parser.add_argument("--mode", choices=("mono", "stereo", "rgbd"), required=True, help=f"cameras to {verb}")
    parser.add_argument(
        "--stride", type=positive_int, default=1, metavar="N", help=f"{verb} every Nth frame (default: 1)"
    )
    add_format_arguments(parser)


def add_format_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the files may not specify: the frame rate and the unit of depth images."""
    parser.add_argument(
        "--fps", type=positive, default=30.0, help="frame rate of images without stamps in their names (default: 30)"
    )
    parser.add_argument(
        "--depth-scale",
        type=counts_per_meter,
        metavar="N",
        help="counts per meter of integer depth images: 1000 for millimeters (default: depth_scale.txt, or 5000)",
    )


@dataclass(frozen=True)
class Source:
    """An opened sequence.

    Attributes:
        sequence: the sequence with its stride.
        notes: assumptions about the input, for the user to check.
        warnings: implausible calibration or units.
    """

    sequence: Sequence
    notes: list[str]
    warnings: list[str]

    def print_remarks(self) -> None:
        """Print assumptions and warnings about the input, before the first frame."""
        if self.sequence.ground_truth_fault:
            print_remark("warning", f"no comparison with the truth: {self.sequence.ground_truth_fault}")
        for note in self.notes:
            print_remark("note", shortened(note, 400))
        for warning in self.warnings:
            print_remark("warning", warning)


def open_source(args: argparse.Namespace, max_pixels: int | None = None) -> Source:
    """Open the sequence of the options, for a matcher with this budget if given. Raises SequenceError."""
    from loftr_ros.odometry.images.working_size import size_note
    from loftr_ros.sequences.decoding_notes import decoding_notes, depth_unit_warning
    from loftr_ros.sequences.formats import open_sequence

    sequence = open_sequence(args.source, args.mode, args.fps, args.depth_scale).every(args.stride)
    unit = depth_unit_warning(sequence)
    warnings = [*sequence.calibration_warnings, *([unit] if unit else [])]
    size = size_note(sequence.camera, max_pixels) if max_pixels else None
    notes = [*sequence.notes, *decoding_notes(sequence), *([size] if size else [])]
    return Source(sequence, notes, warnings)


def print_skipped(skipped: list[str]) -> None:
    """Print the unusable images, after the last frame."""
    for fault in skipped[:MAX_SKIPPED]:
        print_remark("warning", f"skipped: {shortened(fault, 400)}")
    if len(skipped) > MAX_SKIPPED:
        print_remark("warning", f"skipped: {len(skipped) - MAX_SKIPPED} more images")


def print_remark(kind: str, text: str) -> None:
    """Print a line about the input to stderr."""
    print(f"loftr-ros: {kind}: {text}", file=sys.stderr)
