"""Publish a sequence, and in its middle tiny images that claim gigabytes: oversized.py SEQUENCE NODE_PID

Prints JSON: what the diagnostics say of each, by how many MiB the most memory that the node ever had grew, the
numbers of frames with odometry, and the last state.
"""

import json
import struct
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage

WIDTH, HEIGHT, F = 320, 240, 260.0
FRAMES, PATIENCE_S = 6, 30.0
sequence, pid = sys.argv[1:]


def png():
    """16384 x 16384 pixels of three 16-bit numbers: 1.5 GiB."""
    header = struct.pack(">IIBBBBB", 16384, 16384, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(9))), (b"IEND", b""))
    parts = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg():
    """65500 x 65500 pixels: 4 GiB."""
    data = bytes(cv2.imencode(".jpg", np.zeros((16, 16), np.uint8))[1])
    frame = data.index(b"\xff\xc0") + 5
    return data[:frame] + struct.pack(">HH", 65500, 65500) + data[frame + 4 :]


def tiff():
    """32768 x 32768 pixels of 64 bits: 8 GiB."""
    tags = {256: 32768, 257: 32768, 258: 64, 259: 1, 262: 1, 273: 8, 277: 1, 278: 32768, 279: 100, 339: 3}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 108) + bytes(100) + struct.pack("<H", len(tags)) + entries + bytes(4)


def peak_mib():
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmPeak:")[1].split()[0]) // 1024


def publish(pair, stamp):
    for index, data in enumerate(pair):
        info = CameraInfo(height=HEIGHT, width=WIDTH, distortion_model="plumb_bob", d=[0.0] * 5)
        info.k = [F, 0.0, 159.5, 0.0, F, 119.5, 0.0, 0.0, 1.0]
        info.p = [F, 0.0, 159.5, -F * 0.2 * index, 0.0, F, 119.5, 0.0, 0.0, 0.0, 1.0, 0.0]
        image = CompressedImage(format="png", data=data)
        info.header.stamp = image.header.stamp = stamp
        infos[index].publish(info)
        images[index].publish(image)


def until(condition, act=lambda: None):
    """Act and spin until a condition holds; returns whether it does in time."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        act()
        rclpy.spin_once(node, timeout_sec=0.1)
    return condition()


def show(index):
    """Publish a pair of the sequence, and wait for its odometry."""
    stamp = node.get_clock().now().to_msg()
    publish([(Path(sequence) / f"image_{side}" / f"{index:06d}.png").read_bytes() for side in range(2)], stamp)
    if until(lambda: stamp in estimated):
        frames.append(index)


rclpy.init()
node = rclpy.create_node("oversized", namespace="/loftr")
images = [node.create_publisher(CompressedImage, f"{side}/image/compressed", 10) for side in ("left", "right")]
infos = [node.create_publisher(CameraInfo, f"{side}/camera_info", 10) for side in ("left", "right")]
heard, estimated, frames, said = [], [], [], []
node.create_subscription(DiagnosticArray, "/diagnostics", lambda m: heard.append(m.status[0]), 10)
node.create_subscription(Odometry, "odometry", lambda m: estimated.append(m.header.stamp), 10)
until(lambda: all(publisher.get_subscription_count() for publisher in images))
for index in range(FRAMES // 2):
    show(index)
before = peak_mib()
right = bytes(cv2.imencode(".png", np.zeros((HEIGHT, WIDTH), np.uint8))[1])
for left, size in ((png(), "16384x16384"), (jpeg(), "65500x65500"), (tiff(), "32768x32768")):
    found = lambda size=size: [status.message for status in heard if size in status.message]  # noqa: E731
    until(found, lambda left=left: publish((left, right), node.get_clock().now().to_msg()))
    said += found()[:1]
growth_mib = peak_mib() - before
for index in range(FRAMES // 2, FRAMES):
    show(index)
heard.clear()
until(lambda: heard)
state = {value.key: value.value for value in heard[-1].values}["state"]
print(json.dumps({"said": said, "growth_mib": growth_mib, "frames": frames, "state": state}))
rclpy.shutdown()
