"""The node with POSES poses to save, which logs a line as it closes: long_trajectory.py POSES ROS_ARGUMENTS."""

import sys

import numpy as np

from loftr_ros.ros.main import main
from loftr_ros.ros.publishers.trajectory_log import TrajectoryLog
from loftr_ros.ros.vo_node import VoNode

poses = int(sys.argv.pop(1))
clear, close = TrajectoryLog.clear, VoNode.close


def filled(self):
    clear(self)
    for stamp in range(poses):
        self.add(stamp, np.eye(4))


def last(self):
    close(self)
    self.get_logger().info("the last line")


TrajectoryLog.clear, VoNode.close = filled, last
main()
