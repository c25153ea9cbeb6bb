"""Stereo odometry from two live OpenCV cameras: stereo_cameras.py LEFT RIGHT left.yaml right.yaml.

LEFT and RIGHT are camera indices or video files. The calibration files are those of ROS's camera_calibration; images
are raw (not rectified). Stop with Ctrl-C. The cameras should be synchronized: otherwise depth is wrong as soon as they
move.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from loftr_ros import Frame, OdometryConfig, VisualOdometry, load_matcher
from loftr_ros.sequences.camera_yaml import read_calibration

left_source, right_source, *calibration_files = sys.argv[1:]
videos = [cv2.VideoCapture(int(name) if name.isdigit() else name) for name in (left_source, right_source)]
left, right = (read_calibration(Path(path)) for path in calibration_files)
rig = left.rig(right)
odometry = VisualOdometry(load_matcher(), OdometryConfig(mode="stereo"))
while all(video.grab() for video in videos):  # grab both before decoding either
    stamp_ns = time.time_ns()
    images = [cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2GRAY).astype(np.uint8) for video in videos]
    estimate = odometry.process(Frame(stamp_ns, images[0], left.raw, right=images[1], rig=rig))
    print(estimate.state.value, estimate.T_odom_camera[:3, 3].round(3), *estimate.remarks)
