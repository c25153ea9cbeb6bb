"""`loftr-ros` that prints a line for each estimate and each odometry message as soon as it has it, past all buffers.

announced.py ARGUMENTS: those of `loftr-ros`. What was printed and what the files hold may differ by one after a kill.
"""

import os
import sys

from loftr_ros.cli import main
from loftr_ros.odometry.scale.metric_odometry import MetricOdometry


def announcing(function):
    def announced(*arguments):
        result = function(*arguments)
        os.write(1, b"announced\n")
        return result

    return announced


MetricOdometry.process = announcing(MetricOdometry.process)
if sys.argv[1] == "record":
    from loftr_ros.ros.replay import recorder

    recorder.pose_matrix = announcing(recorder.pose_matrix)
sys.exit(main(sys.argv[1:]))
