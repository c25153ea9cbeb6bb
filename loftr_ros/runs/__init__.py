"""Runs of the odometry over recordings: folders, interrupted runs, several sources, tables."""
