"""Say on TF how far ahead of the base the camera sits, and after SIGUSR1 something else: mount.py X X.

It prints when the node listens to /tf, and when it does no more.
"""

import signal
import sys
import time

import rclpy
from geometry_msgs.msg import TransformStamped
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

first, second = map(float, sys.argv[1:])
asked = []
signal.signal(signal.SIGUSR1, lambda *_: asked.append(True))
rclpy.init()
node = rclpy.create_node("mount")
moving = TransformBroadcaster(node)


def transform(child, x):
    message = TransformStamped()
    message.header.stamp = node.get_clock().now().to_msg()
    message.header.frame_id, message.child_frame_id = "base_link", child
    message.transform.translation.x = x
    q = message.transform.rotation
    q.x, q.y, q.z, q.w = -0.5, 0.5, -0.5, 0.5
    return message


def mount_at(x):
    """Publish as a restarted program does: a broadcaster sends a frame only once."""
    broadcaster = StaticTransformBroadcaster(node)
    broadcaster.sendTransform(transform("left/camera_optical_frame", x))
    return broadcaster


def wait_until(condition):
    deadline = time.monotonic() + 300
    while not condition() and time.monotonic() < deadline:
        moving.sendTransform(transform("arm", 0.0))
        rclpy.spin_once(node, timeout_sec=0.02)
    return condition()


broadcasters = [mount_at(first)]
for text, count in (("heard", 1), ("left", 0)):
    print(text, wait_until(lambda count=count: node.count_subscribers("/tf") == count), flush=True)
wait_until(lambda: asked)
broadcasters.append(mount_at(second))
print("changed", node.count_subscribers("/tf_static"), flush=True)
wait_until(lambda: False)
