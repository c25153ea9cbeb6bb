#!/usr/bin/env python3
"""A camera for bench/node.py: publishes images at a rate, to and fro, and notes when odometry comes back.

It says "ready" when it publishes, and "odometry" when the first comes.

    python bench/camera.py images.npy --rate 60 --output camera.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from views import pinhole

from loftr_ros.ros.messages.conversions import image_from_array, info_from_camera
from loftr_ros.ros.messages.time import nanoseconds, time_message
from loftr_ros.ros.replay.session import ros_session


def main() -> int:
    """Publish until SIGINT, and write when images went out and odometry came, by stamp."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="(N, H, W) uint8")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    images = np.load(args.images)
    messages = [image_from_array(image) for image in images]  # once: the camera must not take the node's time
    info = info_from_camera(pinhole(images.shape[2], images.shape[1]))

    sent: list[int] = []
    came: list[tuple[int, int]] = []
    with suppress(KeyboardInterrupt), ros_session():
        node = rclpy.create_node("camera", namespace="/loftr")
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        image_publisher = node.create_publisher(Image, "image", qos_profile_sensor_data)
        info_publisher = node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
        to_and_fro = itertools.cycle([*messages, *messages[-2:0:-1]])

        def publish() -> None:
            stamp_ns = time.time_ns()
            message = next(to_and_fro)
            info.header = message.header = Header(stamp=time_message(stamp_ns), frame_id="camera_optical_frame")
            info_publisher.publish(info)
            image_publisher.publish(message)
            sent.append(stamp_ns)

        node.create_timer(1 / args.rate, publish)

        def note(message: Odometry) -> None:
            if not came:
                print("odometry", flush=True)
            came.append((nanoseconds(message.header.stamp), time.time_ns()))

        node.create_subscription(Odometry, "odometry", note, 100)
        print("ready", flush=True)
        executor.spin()
    args.output.write_text(json.dumps({"sent": sent, "came": came}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
