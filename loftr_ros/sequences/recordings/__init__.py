"""Recordings that are no folders of images: bags of ROS, and videos."""
