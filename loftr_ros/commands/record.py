"""`loftr-ros record`: record odometry from a ROS topic to a trajectory file."""

from __future__ import annotations

import argparse
from pathlib import Path

from loftr_ros.commands.arguments import positive, positive_int
from loftr_ros.errors import LoftrRosError
from loftr_ros.output import make_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--topic", default="/loftr/odometry", help="nav_msgs/Odometry (default: %(default)s)")
    parser.add_argument("--output", type=Path, metavar="FILE.tum", help="trajectory file, TUM format")
    parser.add_argument("--bag", type=Path, metavar="FILE.mcap", help="bag of ROS 2 with the messages as they came")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write stamps and arrival times")
    parser.add_argument("--frames", type=positive_int, metavar="N", help="end after N messages")
    parser.add_argument("--timeout", type=positive, metavar="S", help="end after S seconds without a message")
    parser.add_argument(
        "--frame",
        choices=("base", "optical"),
        default="base",
        help="base: poses as published, base in odom; optical: poses of the camera, as written by `loftr-ros run`",
    )
    parser.add_argument(
        "--camera-pose",
        type=float,
        nargs=6,
        default=[0.0] * 6,
        metavar=("X", "Y", "Z", "ROLL", "PITCH", "YAW"),
        help="camera_x ... camera_yaw of the node, for --frame optical (default: all 0)",
    )


def main(args: argparse.Namespace) -> int:
    """Record until --frames, --timeout, Ctrl-C, SIGTERM or SIGHUP."""
    if args.output is None and args.bag is None:
        raise LoftrRosError("there is nothing to write: give --output FILE.tum, --bag FILE.mcap, or both.")
    from loftr_ros.reports.live_trajectory import LiveTrajectory
    from loftr_ros.ros.replay.recorder import RecordOptions, record, write_trajectory
    from loftr_ros.ros.replay.reports import write_report
    from loftr_ros.ros.replay.session import ros_session
    from loftr_ros.ros.transforms.frames import camera_in_base

    for path in (args.output, args.bag, args.json):
        if path is not None:
            make_folder(path.parent, path.name)
    T_base_camera = camera_in_base(*args.camera_pose) if args.frame == "optical" else None
    options = RecordOptions(args.topic, args.frames, args.timeout, args.bag, T_base_camera)
    # Beside a bag alone, too: it can be read only once it is finished.
    live = LiveTrajectory(args.output or args.bag.with_suffix(".tum"))
    try:
        with ros_session():
            trajectory, report = record(options, live.add)
        if args.output:
            write_trajectory(args.output, trajectory)
    finally:
        live.remove()
    if args.json:
        write_report(args.json, report)
    print(report)
    return 0
