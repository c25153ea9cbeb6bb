#!/usr/bin/env python3
"""Latency of the node from the stamp of an image to the odometry, by stage.

A camera process publishes images of a rendered room at a fixed rate and subscribes to the odometry. The node is the
real one, with timers around its parts. The camera moves back and forth by 20 cm.

    python bench/node.py                                    1280 x 720 at 60 Hz, for 20 seconds
    python bench/node.py --parameters max_pixels:=300000    with parameters of the node
    python bench/node.py --output docs/benchmarks.md        and update the tables there
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import node_session
import numpy as np
import program
from image_pairs import pinhole, room_views
from node_report import RequirementsReport, StagesReport
from report import Report, TableReport, machine, rich_table

from loftr_ros.commands.arguments import positive, positive_int

PROGRAM = "node.py"
IMAGES = 30
FRAMES_OF_THE_LOOP = 2500  # 7 mm per frame: walking pace at 60 Hz


def main(argv: Sequence[str]) -> int:
    """Measure, print and write. Returns 0, or 2 for a user error."""
    args = _parse(argv)
    return program.run(PROGRAM, partial(_run, args, program.command_line(PROGRAM, argv)), args.output)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs=2, type=positive_int, default=(1280, 720), metavar=("W", "H"))
    parser.add_argument("--rate", type=positive, default=60.0, metavar="HZ", help="camera rate (default: 60)")
    parser.add_argument("--seconds", type=positive, default=20.0, help="duration of the measurement (default: 20)")
    parser.add_argument(
        "--starts", type=positive_int, default=3, metavar="N", help="starts of the node to time (default: 3)"
    )
    parser.add_argument("--parameters", nargs="*", default=[], metavar="NAME:=VALUE", help="node parameters")
    parser.add_argument(
        "--domain", type=int, default=1 + os.getpid() % 100, metavar="N", help="ROS_DOMAIN_ID (default: any)"
    )
    program.add_output_argument(parser)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace, command: str) -> Report:
    width, height = args.size
    with TemporaryDirectory() as name:
        folder = Path(name)
        images = folder / "images.npy"
        np.save(images, np.stack(room_views(pinhole(width, height), IMAGES, FRAMES_OF_THE_LOOP)))
        # All sessions are timed from start to first odometry; only the last one is measured further.
        seconds = [*[0.0] * (args.starts - 1), args.seconds]
        sessions = [
            node_session.run(images, args.rate, duration, args.parameters, folder, args.domain) for duration in seconds
        ]
    title = f"{width} x {height} mono8 at {args.rate:g} Hz, {args.seconds:g} s"
    starts = [session.start_s for session in sessions]
    tables: list[TableReport] = [
        StagesReport(title, sessions[-1]),
        RequirementsReport(f"{title}, requirements", sessions[-1], starts),
    ]
    report = Report(PROGRAM, command, machine(), tables)
    console = program.table_console()
    console.print("; ".join(f"{name} {value}" for name, value in report.machine.items()), highlight=False)
    for table in tables:
        console.print(rich_table(table))
    return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
