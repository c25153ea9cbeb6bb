"""Textures without any photo: blots, tiles and the plain surfaces of buildings."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.textures.atlas import SIDE, TextureAtlas
from loftr_ros.training.data.textures.noise import fractal_noise


def pattern_atlas(draw: Draw, count: int) -> TextureAtlas:
    """Make procedural textures: fractal noise, blobs, and tiles with random shades."""
    noise = fractal_noise(draw, count)
    blobs = (noise > 0.1).float() * 0.6 + noise * 0.3
    cells = F.interpolate(draw.uniform(-1, 1, count, 1, 16, 16), (SIDE, SIDE), mode="nearest")[:, 0]
    tiles = 0.7 * cells + 0.4 * noise
    kind = draw.integers(3, count)[:, None, None]
    images = torch.where(kind == 0, noise, torch.where(kind == 1, blobs, tiles))
    low, high = images.amin((1, 2), keepdim=True), images.amax((1, 2), keepdim=True)
    return TextureAtlas.from_images(((images - low) / (high - low) * 255).to(torch.uint8))


def line_atlas(draw: Draw, count: int) -> TextureAtlas:
    """Make procedural surfaces of buildings: plain panels and tiles with thin seams, rails, frames, signs.

    They have low texture, long straight edges and repetition, which photos rarely have.
    """
    columns, rows = draw.integers(6, 2, count) + 1
    across, column = _seams(draw, columns)
    down, row = _seams(draw, rows)
    kind = draw.uniform(0, 1, count)  # panels have seams in both directions, boards and rails in one
    across = across * (kind < 0.75)[:, None]
    down = down * (kind > 0.15)[:, None]
    shades = draw.uniform(-0.5, 0.5, count, 8, 8) * draw.log_uniform(0.02, 0.5, count, 1, 1)
    index = torch.arange(count, device=draw.device)[:, None, None]
    gray = shades[index, row[:, :, None], column[:, None, :]]
    seams = torch.maximum(across[:, None, :], down[:, :, None])
    sign = torch.where(draw.chance(0.75, count, 1, 1), -1.0, 1.0)  # most seams are dark
    gray = gray + sign * seams * draw.uniform(0.2, 0.8, count, 1, 1) + _plates(draw, count)
    gray = gray + draw.log_uniform(0.003, 0.1, count, 1, 1) * fractal_noise(draw, count)
    return TextureAtlas.from_images(((0.6 + 0.5 * gray).clamp(0, 1) * 255).to(torch.uint8))


def _seams(draw: Draw, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Lines between `cells` (K,) equal cells: their profile (K, SIDE), and the cell of each texel."""
    place = (torch.arange(SIDE, device=draw.device) / SIDE + draw.uniform(0, 1, len(cells), 1)) % 1 * cells[:, None]
    distance = (place - place.round()).abs() / cells[:, None] * SIDE  # texels
    half_width = draw.log_uniform(0.6, 5, len(cells), 1)
    return (1 + half_width - distance).clamp(0, 1), place.long()


def _plates(draw: Draw, count: int, plates: int = 4) -> Tensor:
    """Doors, frames and signs: a few rectangles with another shade, (count, SIDE, SIDE)."""
    total = torch.zeros(count, SIDE, SIDE, device=draw.device)
    steps = torch.arange(SIDE, device=draw.device) / SIDE
    for _ in range(plates):
        center = draw.uniform(0, 1, 2, count, 1)
        half = draw.log_uniform(0.02, 0.3, 2, count, 1)
        apart = half - (steps - center).abs()  # by axis; positive inside of the rectangle
        depth = torch.minimum(apart[0][:, None, :], apart[1][:, :, None]) * SIDE
        frame = draw.chance(0.3, count, 1, 1) & (depth > draw.uniform(2, 8, count, 1, 1))
        shade = draw.uniform(-1, 1, count, 1, 1) * draw.chance(0.35, count, 1, 1)
        total += shade * torch.where(frame, 0.0, depth.clamp(0, 1))
    return total
