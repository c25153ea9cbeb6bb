"""Checks of a stereo pair: its calibration, its synchronization, its disparities against the motion."""
