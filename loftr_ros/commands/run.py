"""`loftr-ros run`: odometry of recorded sequences, as trajectory files, report and plot."""

from __future__ import annotations

import argparse
from pathlib import Path

from loftr_ros.commands.arguments import add_matcher_arguments, add_odometry_arguments
from loftr_ros.commands.sequence_input import add_sequence_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = f"{parser.prog} [options] SOURCE"
    add_sequence_arguments(parser, "use")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for the results (default: loftr_runs/NAME_DATE_TIME; loftr_runs/latest is a link to it)",
    )
    add_matcher_arguments(parser)
    parser.add_argument(
        "--mask-image",
        type=Path,
        metavar="FILE",
        help="image of the same size; its black regions are ignored, such as the robot's own body",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="stop at an image that is damaged or has another size (default: skip it and report it at the end)",
    )
    parser.add_argument(
        "--bag",
        type=Path,
        metavar="FILE.mcap",
        help="write odometry, tf, path and diagnostics as a bag of ROS 2",
    )
    parser.add_argument("--no-progress", action="store_true", help="hide the progress bar")
    parser.add_argument(
        "--wheel-odometry",
        type=Path,
        metavar="FILE",
        help="positions of the robot's base by its wheels, meters, in TUM format: for --scale-source odometry",
    )
    add_odometry_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run one sequence."""
    from loftr_ros.commands.run_one import run_one

    return run_one(args)
