"""Matches in, motion out. NumPy, OpenCV and SciPy only: no torch, no ROS."""
