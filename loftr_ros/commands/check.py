"""`loftr-ros check`: what a recorded sequence or live topics hold, and what is wrong with it, on a page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from loftr_ros.commands.arguments import add_matcher_arguments, counts_per_metre, positive, positive_int
from loftr_ros.errors import LoftrRosError

if TYPE_CHECKING:
    from loftr_ros.checkup.findings import Report
    from loftr_ros.loftr.matcher import LoftrMatcher


class CheckError(LoftrRosError):
    """Options that do not go together."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="KITTI, EuRoC or TUM sequence, or folder of images")
    parser.add_argument(
        "--mode", choices=("mono", "stereo", "rgbd"), help="the cameras to use (default: the best there is)"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON instead of a page")
    parser.add_argument("--fps", type=positive, default=30.0, help="of images whose names are no stamps (default: 30)")
    parser.add_argument(
        "--depth-scale",
        type=counts_per_metre,
        metavar="N",
        help="counts of an integer depth image in a meter: 1000 for millimeters (default: depth_scale.txt, or 5000)",
    )
    motion = parser.add_argument_group("a short look by the odometry")
    motion.add_argument(
        "--frames", type=positive_int, default=20, metavar="N", help="run it over the first N frames (default: 20)"
    )
    motion.add_argument("--no-motion", action="store_true", help="leave it out, which spares the network")
    add_matcher_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Print the findings. Returns 1 if one of them is an error, else 0."""
    from loftr_ros.checkup.page import print_page

    report = _recorded(args)
    if args.json:
        import json

        print(json.dumps(report.as_json(), indent=1))
    else:
        print_page(report)
    return report.exit_code


def _recorded(args: argparse.Namespace) -> Report:
    from itertools import islice

    from loftr_ros.checkup.findings import Report, has_error
    from loftr_ros.checkup.motion_findings import motion_findings
    from loftr_ros.checkup.sequence_findings import sequence_findings
    from loftr_ros.checkup.sources import open_source

    opened = open_source(args.source, args.mode, args.fps, args.depth_scale)
    findings = list(opened.findings)
    if opened.sequence is not None and opened.mode is not None:
        findings += sequence_findings(opened.sequence)
        if not args.no_motion and not has_error(findings):
            frames = islice(opened.sequence.readable([]), args.frames)
            findings += motion_findings(frames, _matcher(args), opened.mode)
    return Report(str(args.source), opened.mode, tuple(findings))


def _matcher(args: argparse.Namespace) -> LoftrMatcher:
    from loftr_ros.loftr.matcher import load_matcher
    from loftr_ros.loftr.matcher_config import Effort

    return load_matcher(args.checkpoint, args.device, Effort(args.max_pixels, args.max_matches), args.precision)
