"""Metric scale of a single camera: wheel odometry, or its height above the ground."""
