"""Advertise cameras that never send anything, all at once, until it is ended: cameras.py NAMESPACE ... [--only TYPE]"""

import sys

import rclpy
from sensor_msgs.msg import CameraInfo, Image

rclpy.init()
namespaces, _, kind = " ".join(sys.argv[1:]).partition(" --only ")
nodes = [rclpy.create_node("camera", namespace=namespace) for namespace in namespaces.split()]
topics = [t for t in ((Image, "image"), (CameraInfo, "camera_info")) if t[0].__name__ == kind or not kind]
publishers = [node.create_publisher(kind, name, 10) for node in nodes for kind, name in topics]
rclpy.spin(nodes[0])
