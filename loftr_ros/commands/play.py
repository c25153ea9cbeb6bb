"""`loftr-ros play`: a recorded sequence as ROS topics."""

from __future__ import annotations

import argparse
from pathlib import Path

from loftr_ros.commands.arguments import positive, positive_int
from loftr_ros.output import make_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="KITTI, EuRoC or TUM sequence, or folder of images")
    parser.add_argument("--mode", choices=("mono", "stereo", "rgbd"), required=True, help="the cameras to publish")
    parser.add_argument("--compressed", action="store_true", help="publish PNG, as image_transport's compressed does")
    parser.add_argument("--namespace", default="/loftr", help="of the topics (default: /loftr)")
    parser.add_argument("--stride", type=positive_int, default=1, metavar="N", help="play every Nth frame (default: 1)")
    parser.add_argument("--frames", type=positive_int, metavar="N", help="stop after N frames")
    parser.add_argument("--fps", type=positive, default=30.0, help="of images whose names are no stamps (default: 30)")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=positive, metavar="HZ", help="frames a second, whatever the stamps say")
    pace.add_argument("--speed", type=positive, default=1.0, metavar="X", help="times real time (default: 1)")
    pace.add_argument(
        "--lockstep",
        nargs="?",
        const="/loftr/odometry",
        metavar="TOPIC",
        help="wait for the odometry of each frame before the next, so that nothing is lost (default topic: %(const)s)",
    )
    parser.add_argument(
        "--listeners",
        type=int,
        default=0,
        metavar="N",
        help="with --lockstep, start when N others, such as `loftr-ros record`, listen to the odometry (default: 0)",
    )
    parser.add_argument("--loop", action="store_true", help="start over at the end, with stamps that go on")
    parser.add_argument("--now", action="store_true", help="stamp frames with the time of publishing")
    parser.add_argument(
        "--timeout",
        type=positive,
        default=60.0,
        metavar="S",
        help="wait so long for subscribers or answers (default: 60)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times of all frames")


def main(args: argparse.Namespace) -> int:
    """Publish until the end of the sequence, or until a frame stays unanswered in lockstep."""
    from loftr_ros.ros.player import PlayOptions, play
    from loftr_ros.ros.replay import ReplayError, write_report
    from loftr_ros.ros.session import ros_session
    from loftr_ros.sequences.formats import open_sequence

    sequence = open_sequence(args.source, args.mode, args.fps).every(args.stride)
    if args.json:
        make_folder(args.json.parent, args.json.name)
    options = PlayOptions(
        mode=args.mode,
        compressed=args.compressed,
        namespace=args.namespace,
        rate=args.rate,
        speed=args.speed,
        frames=args.frames,
        loop=args.loop,
        restamp=args.now,
        lockstep=args.lockstep,
        listeners=args.listeners,
        timeout=args.timeout,
    )
    with ros_session():
        report = play(sequence, options)
    if args.json:
        write_report(args.json, report)
    print(report)
    if report.unanswered:
        raise ReplayError(f"no odometry came on {args.lockstep} for the last frame: see what /diagnostics says")
    return 0
