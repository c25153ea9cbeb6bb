"""Say on TF how far ahead of the base the camera sits, and something else once the node has left /tf: mount.py X X."""

import sys
import time

import rclpy
from geometry_msgs.msg import TransformStamped
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

first, second = map(float, sys.argv[1:])
rclpy.init()
node = rclpy.create_node("mount")
mounts, moving = StaticTransformBroadcaster(node), TransformBroadcaster(node)


def transform(child, x):
    message = TransformStamped()
    message.header.stamp = node.get_clock().now().to_msg()
    message.header.frame_id, message.child_frame_id = "base_link", child
    message.transform.translation.x = x
    q = message.transform.rotation
    q.x, q.y, q.z, q.w = -0.5, 0.5, -0.5, 0.5
    return message


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        moving.sendTransform(transform("arm", 0.0))
        rclpy.spin_once(node, timeout_sec=0.02)
    return condition()


mounts.sendTransform(transform("camera_optical_frame", first))
for text, count in (("heard", 1), ("left", 0)):
    print(text, wait_until(lambda count=count: node.count_subscribers("/tf") == count), flush=True)
mounts.sendTransform(transform("camera_optical_frame", second))
print("static", node.count_subscribers("/tf_static"), flush=True)
wait_until(lambda: False)
