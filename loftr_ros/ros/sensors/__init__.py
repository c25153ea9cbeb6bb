"""Subscriptions to cameras and wheel odometry: discovery, synchronization, conversion to frames."""
