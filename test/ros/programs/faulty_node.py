"""The node with outputs that cannot be closed and images that cannot be taken: errors that nobody foresaw."""

from loftr_ros.ros.main import main
from loftr_ros.ros.publishers.outputs import Outputs
from loftr_ros.ros.sensors.camera_subscriber import CameraInput


def fault(*_):
    raise RuntimeError("out of order")


Outputs.close = CameraInput._on_image = fault
main()
