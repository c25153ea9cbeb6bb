"""The input checked against itself: what images, matches and motion say of calibration, depth and synchronization."""
