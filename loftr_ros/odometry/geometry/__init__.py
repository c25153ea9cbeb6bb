"""Rigid motions, cameras, stereo rigs and matches in normalized coordinates."""
