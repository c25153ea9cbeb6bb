"""Frames of REP-103 and REP-105, extrinsics and TF."""
