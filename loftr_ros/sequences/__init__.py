"""Recorded input: one iterator of frames for every layout on disk. NumPy and OpenCV only: no torch, no ROS."""
