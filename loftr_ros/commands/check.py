"""`loftr-ros check`: a page of findings about a recorded sequence or live topics."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from loftr_ros.commands.arguments import add_matcher_arguments, positive, positive_int
from loftr_ros.commands.sequence_input import SOURCES, add_format_arguments
from loftr_ros.errors import LoftrRosError

if TYPE_CHECKING:
    from loftr_ros.checkup.findings import Finding, Report
    from loftr_ros.loftr.runtime.matcher import LoftrMatcher
    from loftr_ros.odometry.config import Mode
    from loftr_ros.odometry.images.frame import Frame


class CheckError(LoftrRosError):
    """Live topics cannot be checked without ROS."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "source",
        nargs="?",
        type=Path,
        metavar="SOURCE",
        help=f"{SOURCES} (default: live ROS topics)",
    )
    parser.add_argument(
        "--mode",
        choices=("mono", "stereo", "rgbd"),
        help="cameras to use (default: the best mode that the source supports)",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON instead of a page")
    add_format_arguments(parser)
    motion = parser.add_argument_group("odometry on the first frames")
    motion.add_argument(
        "--frames", type=positive_int, default=20, metavar="N", help="run it on the first N frames (default: 20)"
    )
    motion.add_argument("--no-motion", action="store_true", help="skip it; the network is then not loaded")
    add_matcher_arguments(parser)
    live = parser.add_argument_group("live topics")
    live.add_argument("--seconds", type=positive, default=5.0, help="how long to listen (default: 5)")
    live.add_argument(
        "--ros-args",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="parameters of the node and remappings, such as -p image_topic:=/camera/image_raw; ends the options",
    )


def main(args: argparse.Namespace) -> int:
    """Print the findings. Returns 1 if one of them is an error, else 0."""
    from loftr_ros.checkup.page import print_page

    report = _recorded(args) if args.source else _live(args)
    if args.json:
        import json

        print(json.dumps(report.as_json(), indent=1))
    else:
        print_page(report)
    return report.exit_code


def _live(args: argparse.Namespace) -> Report:
    """Check live topics. ROS arguments are taken from the command line of the process by rclpy."""
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        raise CheckError(f"Live topics need ROS 2 ({error}): source it, or give the folder of a sequence.") from error
    from loftr_ros.checkup.motion_findings import motion_findings
    from loftr_ros.odometry.images.working_size import at_working_size
    from loftr_ros.ros.checkup.live import check_topics
    from loftr_ros.ros.replay.session import ros_session

    def motion(frames: list[Frame], mode: Mode) -> list[Finding]:
        return motion_findings((at_working_size(frame, args.max_pixels) for frame in frames), _matcher(args), mode)

    print(f"loftr-ros: listening to live topics for {args.seconds:g} s", file=sys.stderr)
    with ros_session():
        return check_topics(args.mode, args.seconds, args.frames, None if args.no_motion else motion)


def _recorded(args: argparse.Namespace) -> Report:
    from itertools import islice

    from loftr_ros.checkup.findings import Report, has_error
    from loftr_ros.checkup.motion_findings import motion_findings
    from loftr_ros.checkup.sequence_findings import sequence_findings
    from loftr_ros.checkup.sources import open_source
    from loftr_ros.odometry.images.working_size import at_working_size

    opened = open_source(args.source, args.mode, args.fps, args.depth_scale, args.topics, args.camera, args.fov)
    findings = list(opened.findings)
    if opened.sequence is not None and opened.mode is not None:
        findings += sequence_findings(opened.sequence)
        if not args.no_motion and not has_error(findings):
            decoded = islice(opened.sequence.readable([]), args.frames)
            frames = (at_working_size(frame, args.max_pixels) for frame in decoded)
            findings += motion_findings(frames, _matcher(args), opened.mode)
    return Report(str(args.source), opened.mode, tuple(findings))


def _matcher(args: argparse.Namespace) -> LoftrMatcher:
    from loftr_ros.loftr.runtime.budget import ComputeBudget
    from loftr_ros.loftr.runtime.matcher import load_matcher

    return load_matcher(args.checkpoint, args.device, ComputeBudget(args.max_pixels, args.max_matches), args.precision)
