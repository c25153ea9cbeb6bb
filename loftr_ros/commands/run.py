"""`loftr-ros run`: odometry of recorded sequences, as trajectory files, report and plot."""

from __future__ import annotations

import argparse
from pathlib import Path

from loftr_ros.commands.arguments import add_matcher_arguments, add_odometry_arguments, positive_int
from loftr_ros.commands.sequence_input import add_sequence_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = f"{parser.prog} [options] SOURCE [SOURCE ...]"
    add_sequence_arguments(parser, "use", several=True)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for the results, with one for each of several sources (default: loftr_runs/NAME_DATE_TIME, and "
        "a link to it, loftr_runs/latest)",
    )
    parser.add_argument(
        "--jobs", type=positive_int, default=1, metavar="N", help="run N of several sources at a time (default: 1)"
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
        help="write odometry, tf, path, matches, points, match image and diagnostics as a bag of ROS 2",
    )
    parser.add_argument(
        "--video",
        type=Path,
        metavar="FILE.mp4",
        help="write a video: image with matches beside the growing trajectory",
    )
    parser.add_argument(
        "--rerun",
        type=Path,
        metavar="FILE.rrd",
        help="write a recording for the viewer Rerun; needs the extra rerun of the package",
    )
    parser.add_argument("--view", action="store_true", help="show the pictures of --video in a window while it runs")
    parser.add_argument("--no-progress", action="store_true", help="hide the progress bar")
    parser.add_argument(
        "--wheel-odometry",
        type=Path,
        metavar="FILE",
        help="positions of the robot's base by its wheels, meters, in TUM format: for --scale-source odometry",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with an interrupted run in the folder of --output (default: loftr_runs/latest): of several sources "
        "with the unfinished ones, of one at the last measured pose, of a single camera from the start",
    )
    add_odometry_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run one source, or several."""
    from loftr_ros.commands.run_many import run_many
    from loftr_ros.commands.run_one import run_one

    if len(args.sources) > 1:
        return run_many(args)
    (args.source,) = args.sources
    return run_one(args)
