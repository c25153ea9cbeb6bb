"""Visual odometry over a recorded sequence: visual_odometry.py SEQUENCE.

SEQUENCE is a KITTI, EuRoC or TUM sequence, or a folder of images with a camera.yaml.
"""

import sys
from typing import Final

from loftr_ros import OdometryConfig, VisualOdometry, load_matcher, open_sequence

MODE: Final = "mono"  # or "stereo", "rgbd"

odometry = VisualOdometry(load_matcher(), OdometryConfig(mode=MODE))
for frame in open_sequence(sys.argv[1], MODE):
    estimate = odometry.process(frame)
    x, y, z = estimate.T_odom_camera[:3, 3]
    print(f"{estimate.stamp_ns * 1e-9:.3f} s  {estimate.state.value:12}  {x:7.3f} {y:7.3f} {z:7.3f}")
