"""Publish wheel odometry of a straight way, as soon as the node listens: wheels.py METERS_A_SECOND SECONDS."""

import sys
import time

import rclpy
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data

speed, seconds = map(float, sys.argv[1:])
rclpy.init()
node = rclpy.create_node("wheels", namespace="/loftr")
publisher = node.create_publisher(Odometry, "wheel_odometry", qos_profile_sensor_data)
deadline = time.monotonic() + 300
while publisher.get_subscription_count() == 0 and time.monotonic() < deadline:
    rclpy.spin_once(node, timeout_sec=0.05)
for index in range(round(20 * seconds)):
    message = Odometry()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(index * 50_000_000, 10**9)
    message.pose.pose.position.x = speed * index / 20
    publisher.publish(message)
    rclpy.spin_once(node, timeout_sec=0.01)
time.sleep(0.5)  # until the last one is sent
rclpy.shutdown()
