"""Playback of sequences as topics, recording of odometry, and reports of both."""
