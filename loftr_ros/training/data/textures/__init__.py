"""Textures of rendered scenes: photos from a folder, and procedural ones."""

from loftr_ros.training.data.textures.atlas import SIDE, TextureAtlas
from loftr_ros.training.data.textures.patterns import line_atlas, pattern_atlas
from loftr_ros.training.data.textures.photos import TextureError, photo_atlas
from loftr_ros.training.data.textures.surfaces import surface_atlas

__all__ = ["SIDE", "TextureAtlas", "TextureError", "line_atlas", "pattern_atlas", "photo_atlas", "surface_atlas"]
