"""Publish stereo pairs to the node: pairs.py COUNT PHASE ...

A phase is RELIABILITY:WIDTHxHEIGHT. Each adds publishers of the topics to those of the phases before and publishes by
them at 10 Hz: pairs until the node received one, then COUNT pairs. It prints how many of those its diagnostics count
as received. The first do not count: while a publisher and a subscription find each other, DDS may hold back all
messages of a topic for the three seconds of a heartbeat, and fewer images than that wait for their calibration.
"""

import sys
import time

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

count, phases = int(sys.argv[1]), sys.argv[2:]
received = [0]


def on_diagnostics(message):
    values = {pair.key: pair.value for pair in message.status[0].values}
    received[0] = int(values.get("received", 0))


def spin(seconds):
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        rclpy.spin_once(node, timeout_sec=rest)


def send(publishers, width, height):
    picture = Image(height=height, width=width, step=width, encoding="mono8")
    picture.data.frombytes(np.zeros(height * width, np.uint8).tobytes())
    matrix = [100.0, 0.0, width / 2, 0.0, 100.0, height / 2, 0.0, 0.0, 1.0]
    stamp = node.get_clock().now().to_msg()
    for index, (images, infos) in enumerate(publishers):
        projection = [100.0, 0.0, width / 2, -10.0 * index, 0.0, 100.0, height / 2, 0.0, 0.0, 0.0, 1.0, 0.0]
        calibration = CameraInfo(
            height=height, width=width, distortion_model="plumb_bob", d=[0.0] * 5, k=matrix, p=projection
        )
        picture.header.stamp = calibration.header.stamp = stamp
        infos.publish(calibration)
        images.publish(picture)


rclpy.init()
node = rclpy.create_node("pairs", namespace="/loftr")
node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, 10)
for phase in phases:
    reliability, _, size = phase.partition(":")
    qos = QoSProfile(depth=count, reliability=ReliabilityPolicy[reliability])
    kinds = (Image, "image"), (CameraInfo, "camera_info")
    publishers = [
        [node.create_publisher(kind, f"{side}/{name}", qos) for kind, name in kinds] for side in ("left", "right")
    ]
    width, height = map(int, size.split("x"))
    before, deadline = received[0], time.monotonic() + 30
    while received[0] == before and time.monotonic() < deadline:
        send(publishers, width, height)
        spin(0.1)
    spin(2.5)  # the diagnostics come once a second
    before = received[0]
    for _ in range(count):
        send(publishers, width, height)
        spin(0.1)
    spin(2.5)
    print(received[0] - before, flush=True)
rclpy.shutdown()
