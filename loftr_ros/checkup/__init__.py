"""Checks of a recorded or live source before a run: timing, images, calibration, tracking, on one page."""
