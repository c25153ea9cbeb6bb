"""Trajectories, their errors against ground truth (ATE, RPE), tables and plots."""
