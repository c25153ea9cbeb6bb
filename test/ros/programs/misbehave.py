"""Publish faulty input until the diagnostics of the node report it: misbehave.py CASE; prints the message."""

import sys
import time

import cv2
import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.duration import Duration
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

case, expected = sys.argv[1:3]
sides = ["left/", "right/"] if case in {"sizes", "no-baseline", "gap"} else [""]
qos = QoSProfile(depth=10)
if case == "best-effort":
    qos.reliability = ReliabilityPolicy.BEST_EFFORT
level = DiagnosticStatus.WARN if case in {"twins", "two-clocks", "two-calibrations"} else DiagnosticStatus.ERROR
found, count = [], 0
TEXTURE = cv2.resize(np.random.default_rng(0).integers(0, 256, (12, 16), np.uint8), (128, 96))


def on_diagnostics(message):
    status = message.status[0]
    if status.level == level and expected in status.message:
        found.append(status.message)


def image(width):
    message = Image(height=96, width=width, step=width, encoding="32FC1" if case == "encoding" else "mono8")
    levels = TEXTURE[:, :width] if case.startswith("two-") else np.zeros((96, width), np.uint8)
    message.data.frombytes(np.ascontiguousarray(levels).tobytes())
    return message


def info(width):
    focal = 120.0 if case == "two-calibrations" and count % 2 else 100.0
    matrix = [focal, 0.0, width / 2, 0.0, focal, 48.0, 0.0, 0.0, 1.0]
    projection = [100.0, 0.0, width / 2, 0.0, 0.0, 100.0, 48.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    return CameraInfo(height=96, width=width, distortion_model="plumb_bob", d=[0.0] * 5, k=matrix, p=projection)


rclpy.init()
node = rclpy.create_node("misbehave", namespace="/loftr")
node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, 10)
images = [node.create_publisher(Image, f"{side}image", qos) for side in sides]
infos = [node.create_publisher(CameraInfo, f"{side}camera_info", qos) for side in sides]
deadline = time.monotonic() + 30
while not found and time.monotonic() < deadline:
    count += 1
    stamp = node.get_clock().now().to_msg()
    if case == "two-clocks" and count % 2:
        stamp.sec -= 10**8
    for index in range(0 if case == "twins" else len(sides)):
        width = 160 if case == "sizes" and index == 1 else 128
        picture, calibration = image(width), info(width)
        picture.header.stamp = calibration.header.stamp = stamp
        if case == "stands-still":
            picture.header.stamp = Time(sec=7)
        if case == "gap" and index == 1:
            picture.header.stamp = (rclpy.time.Time.from_msg(stamp) + Duration(nanoseconds=30_000_000)).to_msg()
        if case == "sizes" and index == 1:
            calibration.p[3] = -10.0
        if case != "no-info":
            infos[index].publish(calibration)
        images[index].publish(picture)
    rclpy.spin_once(node, timeout_sec=0.1)
print(found[0] if found else "nothing")
rclpy.shutdown()
