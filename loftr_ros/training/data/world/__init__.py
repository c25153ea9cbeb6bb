"""Scenes with the geometry that robots meet, and pairs of views whose overlap and difficulty are chosen."""

from loftr_ros.training.data.world.pairs import world_pairs

__all__ = ["world_pairs"]
