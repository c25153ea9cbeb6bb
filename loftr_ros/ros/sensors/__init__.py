"""Subscriptions: cameras and wheel odometry, found, synchronized and turned into frames."""
