"""Procedural textures of the things that robots see: one kind after the other, each with wear and its own contrast."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.textures.atlas import SIDE, TextureAtlas
from loftr_ros.training.data.textures.cells import bricks, cobbles, facades, mosaic, shelves
from loftr_ros.training.data.textures.lettering import signs
from loftr_ros.training.data.textures.materials import asphalt, carpet, corrugated, foliage, plaster, wood
from loftr_ros.training.data.textures.noise import spectral_noise

KINDS: dict[str, Callable[[Draw, int], Tensor]] = {
    "bricks": bricks,
    "mosaic": mosaic,
    "cobbles": cobbles,
    "shelves": shelves,
    "facades": facades,
    "wood": wood,
    "carpet": carpet,
    "asphalt": asphalt,
    "foliage": foliage,
    "corrugated": corrugated,
    "plaster": plaster,
    "signs": signs,
}
CHUNK = 32  # textures made at a time: the memory that it takes


def surface_atlas(draw: Draw, count: int) -> TextureAtlas:
    """Make `count` textures of all kinds in turn."""
    images = []
    for number, make in enumerate(KINDS.values()):
        left = (count - number + len(KINDS) - 1) // len(KINDS)
        while left > 0:
            images.append(surface(draw, make, min(left, CHUNK)))
            left -= CHUNK
    return TextureAtlas.from_images(torch.cat(images))


def surface(draw: Draw, make: Callable[[Draw, int], Tensor], count: int) -> Tensor:
    """Make textures of one kind, (count, SIDE, SIDE) uint8, worn, stained and more or less contrasty."""
    gray = make(draw, count).expand(count, SIDE, SIDE)
    low, high = gray.amin((1, 2), keepdim=True), gray.amax((1, 2), keepdim=True)
    gray = (gray - low) / (high - low).clamp(min=1e-6)
    wear = spectral_noise(draw, count, steepest=1.8)
    gray = gray * (1 + 0.15 * draw.uniform(0, 1, count, 1, 1) * wear)
    gray = gray + draw.log_uniform(0.005, 0.06, count, 1, 1) * spectral_noise(draw, count, steepest=1.0)
    center, contrast = draw.uniform(0.35, 0.65, count, 1, 1), draw.uniform(0.5, 1.1, count, 1, 1)
    gray = center + contrast * (gray - 0.5) * torch.where(draw.chance(0.5, count, 1, 1), 1.0, -1.0)
    return (gray.clamp(0, 1) * 255).to(torch.uint8)
