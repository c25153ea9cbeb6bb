"""Input checks: faults of driver, calibration, depth and synchronization, from images, matches and motion."""
