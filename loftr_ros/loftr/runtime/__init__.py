"""Inference: the matcher for the odometry, with its compute budget, precision and device."""
