"""Publish odometry at 100 Hz once somebody listens: message number N is at x = N."""

import itertools
import time

import rclpy
from nav_msgs.msg import Odometry

rclpy.init()
node = rclpy.create_node("source")
publisher = node.create_publisher(Odometry, "/loftr/odometry", 10)
while not publisher.get_subscription_count():
    time.sleep(0.05)
for number in itertools.count():
    message = Odometry()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(number * 10**7, 10**9)
    message.pose.pose.position.x = float(number)
    message.pose.pose.orientation.w = 1.0
    publisher.publish(message)
    time.sleep(0.01)
