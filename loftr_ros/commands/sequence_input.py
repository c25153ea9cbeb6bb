"""Recorded sequences as input of a command: the options, and what is said about the input before and after."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loftr_ros.commands.arguments import counts_per_metre, positive, positive_int
from loftr_ros.errors import shortened

if TYPE_CHECKING:
    from loftr_ros.sequences.sequence import Sequence

MAX_SKIPPED = 10  # images that are named on the terminal


def add_sequence_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Declare the options that `open_source` reads; `verb` says what the command does with the frames."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="KITTI, EuRoC or TUM sequence, or folder of images")
    parser.add_argument("--mode", choices=("mono", "stereo", "rgbd"), required=True, help=f"the cameras to {verb}")
    parser.add_argument(
        "--stride", type=positive_int, default=1, metavar="N", help=f"{verb} every Nth frame (default: 1)"
    )
    add_format_arguments(parser)


def add_format_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what files do not always tell: the frame rate, and the unit of depth images."""
    parser.add_argument("--fps", type=positive, default=30.0, help="of images whose names are no stamps (default: 30)")
    parser.add_argument(
        "--depth-scale",
        type=counts_per_metre,
        metavar="N",
        help="counts of an integer depth image in a meter: 1000 for millimeters (default: depth_scale.txt, or 5000)",
    )


@dataclass(frozen=True)
class Source:
    """A sequence that was opened.

    Attributes:
        sequence: every Nth frame of it.
        notes: what was assumed of it, for the user to check.
        warnings: what is wrong or unlikely in its calibration and units.
    """

    sequence: Sequence
    notes: list[str]
    warnings: list[str]

    def print_remarks(self) -> None:
        """Say before the first frame what was assumed of the input, and what is wrong or unlikely in it."""
        if self.sequence.ground_truth_fault:
            print_remark("warning", f"no comparison with the truth: {self.sequence.ground_truth_fault}")
        for note in self.notes:
            print_remark("note", shortened(note, 400))
        for warning in self.warnings:
            print_remark("warning", warning)


def open_source(args: argparse.Namespace) -> Source:
    """Open the sequence that the options name. Raises SequenceError."""
    from loftr_ros.sequences.first_look import first_look, unknown_depth_unit
    from loftr_ros.sequences.formats import open_sequence

    sequence = open_sequence(args.source, args.mode, args.fps, args.depth_scale).every(args.stride)
    unit = unknown_depth_unit(sequence)
    warnings = [*sequence.calibration_warnings, *([unit] if unit else [])]
    return Source(sequence, [*sequence.notes, *first_look(sequence)], warnings)


def print_skipped(skipped: list[str]) -> None:
    """Say after the last frame which images could not be used."""
    for fault in skipped[:MAX_SKIPPED]:
        print_remark("warning", f"skipped: {shortened(fault, 400)}")
    if len(skipped) > MAX_SKIPPED:
        print_remark("warning", f"skipped: {len(skipped) - MAX_SKIPPED} more images")


def print_remark(kind: str, text: str) -> None:
    """Print a line about the input to stderr."""
    print(f"loftr-ros: {kind}: {text}", file=sys.stderr)
