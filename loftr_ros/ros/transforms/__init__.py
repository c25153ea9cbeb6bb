"""Coordinate frames of REP-103 and REP-105, extrinsics, baseline and TF."""
