"""Advertise cameras that never send anything, all at once, until it is ended: cameras.py NAMESPACE ..."""

import sys

import rclpy
from sensor_msgs.msg import CameraInfo, Image

rclpy.init()
nodes = [rclpy.create_node("camera", namespace=namespace) for namespace in sys.argv[1:]]
topics = (Image, "image"), (CameraInfo, "camera_info")
publishers = [node.create_publisher(kind, name, 10) for node in nodes for kind, name in topics]
rclpy.spin(nodes[0])
