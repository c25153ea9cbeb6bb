#!/usr/bin/env python3
"""Camera process of bench/node.py: publishes images back and forth at a fixed rate and records the odometry stamps.

Prints "ready" once it publishes, and "odometry" at the first odometry message.

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
from image_pairs import pinhole
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from loftr_ros.ros.messages.conversions import image_from_array, info_from_camera
from loftr_ros.ros.messages.time import nanoseconds, time_message
from loftr_ros.ros.replay.session import ros_session


def main() -> int:
    """Publish until SIGINT, then write the times at which images were sent and odometry was received, by stamp."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="(N, H, W) uint8")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    images = np.load(args.images)
    messages = [image_from_array(image) for image in images]  # only once, to spare CPU time
    info = info_from_camera(pinhole(images.shape[2], images.shape[1]))

    sent: list[int] = []
    received: list[tuple[int, int]] = []
    with suppress(KeyboardInterrupt), ros_session():
        node = rclpy.create_node("camera", namespace="/loftr")
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        image_publisher = node.create_publisher(Image, "image", qos_profile_sensor_data)
        info_publisher = node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
        back_and_forth = itertools.cycle([*messages, *messages[-2:0:-1]])

        def publish() -> None:
            stamp_ns = time.time_ns()
            message = next(back_and_forth)
            info.header = message.header = Header(stamp=time_message(stamp_ns), frame_id="camera_optical_frame")
            info_publisher.publish(info)
            image_publisher.publish(message)
            sent.append(stamp_ns)

        node.create_timer(1 / args.rate, publish)

        def on_odometry(message: Odometry) -> None:
            if not received:
                print("odometry", flush=True)
            received.append((nanoseconds(message.header.stamp), time.time_ns()))

        node.create_subscription(Odometry, "odometry", on_odometry, 100)
        print("ready", flush=True)
        executor.spin()
    args.output.write_text(json.dumps({"sent": sent, "received": received}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
