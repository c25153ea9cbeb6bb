"""Recorded sequences: frames from data set layouts on disk. NumPy and OpenCV only: no torch, no ROS."""
