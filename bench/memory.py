#!/usr/bin/env python3
"""Memory of the odometry over thousands of frames of a camera that moves back and forth in a rendered room.

python bench/memory.py                                  2000 frames of 640 x 480
python bench/memory.py --output docs/benchmarks.md      and update the table there
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import program
from image_pairs import pinhole, room_views
from process_memory import resident_mib
from report import Report, network_machine, rich_table

from loftr_ros.commands.arguments import positive_int
from loftr_ros.loftr.runtime.matcher import load_matcher
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.visual_odometry import VisualOdometry

PROGRAM = "memory.py"
VIEWS, VIEWS_OF_THE_LOOP = 40, 200  # far enough for new keyframes
RATE = 30.0  # Hz of the stamps
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of the frames, when memory is read


@dataclass(frozen=True)
class MemoryReport:
    """The table; each reading holds the number of frames, the resident memory (MiB) and the number of keyframes."""

    heading: str
    readings: Sequence[tuple[int, float, int]]

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["frames", "keyframes", "MiB", "growth"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per reading."""
        first = self.readings[0][1]
        return [[str(n), str(keyframes), f"{mib:.1f}", f"{mib - first:+.1f}"] for n, mib, keyframes in self.readings]


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    args = _parse(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=positive_int, default=2000, metavar="N", help="default: 2000")
    parser.add_argument("--size", nargs=2, type=positive_int, default=(640, 480), metavar=("W", "H"))
    program.add_matcher_arguments(parser)
    program.add_output_argument(parser)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace, command: str) -> Report:
    program.set_threads(args.threads)
    loftr = load_matcher(args.checkpoint, args.device)
    camera = pinhole(*args.size)
    views = room_views(camera, VIEWS, VIEWS_OF_THE_LOOP)
    back_and_forth = itertools.islice(itertools.cycle([*views, *views[-2:0:-1]]), args.frames)
    odometry = VisualOdometry(loftr, OdometryConfig(mode="mono"))
    due = {int(np.ceil(share * args.frames)) for share in SHARES}
    readings, keyframes = [], 0
    with program.progress_bar() as bar:
        task = bar.add_task("frames", total=args.frames)
        for number, image in enumerate(back_and_forth, start=1):
            keyframes += odometry.process(Frame(round(1e9 * number / RATE), image, camera)).is_keyframe
            if number in due:
                readings.append((number, resident_mib(), keyframes))
            bar.advance(task)
    table = MemoryReport(f"Memory, {args.checkpoint}, {args.size[0]} x {args.size[1]}", readings)
    facts = network_machine(loftr.device, loftr.model.dtype)
    program.table_console().print(rich_table(table))
    return Report(PROGRAM, command, facts, [table])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
