"""Sequences played as topics, odometry recorded, times reported."""
