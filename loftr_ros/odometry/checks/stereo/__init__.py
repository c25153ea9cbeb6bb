"""Checks of stereo pairs: calibration, synchronization, and disparities against the motion."""
