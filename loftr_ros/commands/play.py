"""`loftr-ros play`: publish a recorded sequence as ROS topics, or write it as a bag."""

from __future__ import annotations

import argparse
from pathlib import Path

from loftr_ros.commands.arguments import positive, positive_int
from loftr_ros.commands.sequence_input import add_sequence_arguments, open_source, print_skipped
from loftr_ros.output import make_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_sequence_arguments(parser, "play")
    parser.add_argument(
        "--compressed", action="store_true", help="publish CompressedImage (PNG), as image_transport does"
    )
    parser.add_argument(
        "--bag", type=Path, metavar="FILE.mcap", help="write the topics to a bag of ROS 2 instead; needs no ROS"
    )
    parser.add_argument("--namespace", default="/loftr", help="namespace of the topics (default: /loftr)")
    parser.add_argument("--frames", type=positive_int, metavar="N", help="stop after N frames")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--rate", type=positive, metavar="HZ", help="frames per second, instead of the rate of the stamps"
    )
    pace.add_argument("--speed", type=positive, default=1.0, metavar="X", help="factor of real time (default: 1)")
    pace.add_argument(
        "--lockstep",
        nargs="?",
        const="/loftr/odometry",
        metavar="TOPIC",
        help="wait for the odometry of each frame, so that no frame is dropped (default topic: %(const)s)",
    )
    parser.add_argument(
        "--listeners",
        type=int,
        default=0,
        metavar="N",
        help="with --lockstep, wait for N further subscribers to the odometry, such as `loftr-ros record` (default: 0)",
    )
    parser.add_argument("--loop", action="store_true", help="restart at the end, with increasing stamps")
    parser.add_argument("--now", action="store_true", help="stamp frames with the time of publishing")
    parser.add_argument(
        "--timeout",
        type=positive,
        default=60.0,
        metavar="S",
        help="timeout for subscribers and answers (default: 60)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the publish times of all frames")


def main(args: argparse.Namespace) -> int:
    """Publish until the end of the sequence, or until a frame is not answered in lockstep; or write a bag."""
    if args.bag:
        return _write_bag(args)
    from loftr_ros.ros.replay.player import PlayOptions, play
    from loftr_ros.ros.replay.reports import ReplayError, write_report
    from loftr_ros.ros.replay.session import ros_session

    source = open_source(args)
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
    source.print_remarks()
    skipped: list[str] = []
    try:
        with ros_session():
            report = play(source.sequence, options, skipped)
    finally:
        print_skipped(skipped)
    if args.json:
        write_report(args.json, report)
    print(report)
    if report.unanswered:
        raise ReplayError(f"no odometry was received on {args.lockstep} for the last frame: see /diagnostics")
    return 0


def _write_bag(args: argparse.Namespace) -> int:
    from itertools import islice

    from loftr_ros.sequences.recordings.sequence_bag import write_sequence

    source = open_source(args)
    source.print_remarks()
    skipped: list[str] = []
    frames = islice(source.sequence.readable(skipped), args.frames)
    try:
        count = write_sequence(
            args.bag, frames, source.sequence.ground_truth, args.namespace, compressed=args.compressed
        )
    finally:
        print_skipped(skipped)
    print(f"{count} frames in {args.bag}")
    return 0
