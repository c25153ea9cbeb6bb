"""Collect what the node publishes, until FRAMES odometry messages came or no more do: collect.py OUTPUT.json FRAMES."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from sensor_msgs.msg import Image, PointCloud2

output, frames = Path(sys.argv[1]), int(sys.argv[2])
SILENCE_S = 45  # a busy machine takes long between two messages, more so if the node is started anew
found = {"odometry": [], "matches": [], "match_image": [], "path": [], "diagnostics": []}


def seconds(stamp):
    return stamp.sec * 10**9 + stamp.nanosec


def numbers(message, names):
    return [getattr(message, name) for name in names]


def on_odometry(m):
    pose, twist = m.pose.pose, m.twist.twist
    found["odometry"].append(
        {
            "stamp_ns": seconds(m.header.stamp),
            "frames": [m.header.frame_id, m.child_frame_id],
            "position": numbers(pose.position, "xyz"),
            "quaternion": numbers(pose.orientation, "xyzw"),
            "twist": numbers(twist.linear, "xyz") + numbers(twist.angular, "xyz"),
            "pose_covariance": list(m.pose.covariance),
            "twist_covariance": list(m.twist.covariance),
        }
    )


def on_matches(m):
    points = np.frombuffer(m.data, np.float32).reshape(-1, len(m.fields))
    fields = [f.name for f in m.fields]
    found["matches"].append({"stamp_ns": seconds(m.header.stamp), "fields": fields, "points": points.tolist()})


def on_image(m):
    sizes = [m.height, m.width, m.step, len(m.data)]
    found["match_image"].append({"stamp_ns": seconds(m.header.stamp), "encoding": m.encoding, "sizes": sizes})


def on_path(m):
    found["path"].append({"stamp_ns": seconds(m.header.stamp), "poses": len(m.poses)})


def on_diagnostics(m):
    status = m.status[0]
    values = {pair.key: pair.value for pair in status.values}
    found["diagnostics"].append({"level": status.level[0], "message": status.message, "values": values})


rclpy.init()
node = rclpy.create_node("collect")
node.create_subscription(Odometry, "/loftr/odometry", on_odometry, 100)
node.create_subscription(PointCloud2, "/loftr/matches", on_matches, 100)
node.create_subscription(Image, "/loftr/match_image", on_image, 100)
node.create_subscription(PathMessage, "/loftr/path", on_path, 100)
node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, 100)
deadline = time.monotonic() + 300  # a busy machine takes minutes to start all programs of a test
while node.count_publishers("/loftr/odometry") == 0 and time.monotonic() < deadline:
    rclpy.spin_once(node, timeout_sec=0.05)
settled = time.monotonic() + 0.5  # the node has to find the subscriptions, too
while time.monotonic() < settled:
    rclpy.spin_once(node, timeout_sec=0.05)
print("ready", flush=True)
count = 0
while len(found["odometry"]) < frames and time.monotonic() < deadline:
    rclpy.spin_once(node, timeout_sec=0.1)
    if len(found["odometry"]) > count:
        count, deadline = len(found["odometry"]), max(deadline, time.monotonic() + SILENCE_S)
end = time.monotonic() + 1.5  # the diagnostics come once a second
while time.monotonic() < end:
    rclpy.spin_once(node, timeout_sec=0.1)
output.write_text(json.dumps(found))
rclpy.shutdown()
