"""Inference: the matcher that the odometry sees, its compute budget, precision and device."""
