"""Surfaces of one material: wood, carpet, asphalt, foliage, corrugated metal, plaster."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.textures.atlas import SIDE
from loftr_ros.training.data.textures.noise import fractal_noise, shift, spectral_noise, standardized, texel_grid

LEAVES = 120  # of foliage, the farthest first


def wood(draw: Draw, count: int) -> Tensor:
    """Boards side by side with grain along them, each board another piece of the tree."""
    boards = draw.integers(8, count, 1, 1) + 1
    x, _ = texel_grid(draw)
    board = (x * boards).long()
    warp = fractal_noise(draw, count)
    warp = warp.cumsum(1) / SIDE  # smooth along the board
    warp = warp - warp[:, -1:] * torch.linspace(0, 1, SIDE, device=draw.device)[:, None]  # periodic again
    phase = draw.uniform(0, 40, count, 8).gather(1, board.flatten(1)).view(count, 1, SIDE)
    rings = torch.sin(2 * math.pi * (phase + x * draw.log_uniform(8, 60, count, 1, 1).round() + 3 * warp))
    shade = draw.uniform(-0.5, 0.5, count, 8).gather(1, board.flatten(1)).view(count, 1, SIDE)
    gap = ((x * boards % 1 - 0.5).abs() > 0.5 - boards / SIDE).float() * (boards > 1)
    fibers = standardized(draw.normal(count, SIDE // 16, SIDE).repeat_interleave(16, 1))
    gray = 0.25 * rings + 0.1 * fibers + 0.6 * shade - 0.6 * gap
    return torch.where(draw.chance(0.5, count, 1, 1), gray, gray.transpose(1, 2))


def carpet(draw: Draw, count: int) -> Tensor:
    """Weave or pile, with or without a woven motif."""
    x, y = texel_grid(draw)
    threads = (2 ** draw.uniform(4, 6.5, count, 1, 1)).round()
    weave = torch.sin(2 * math.pi * threads * x) * torch.sin(2 * math.pi * threads * y)
    pile = draw.normal(count, SIDE, SIDE)
    repeats = 2 ** draw.integers(4, count, 1, 1)
    motif = _motif(draw, count)
    steps = torch.arange(SIDE, device=draw.device)
    rows, columns = (steps.view(1, -1, 1) * repeats) % SIDE, (steps.view(1, 1, -1) * repeats) % SIDE
    motif = motif[torch.arange(count, device=draw.device)[:, None, None], rows, columns]
    woven = torch.where(draw.chance(0.6, count, 1, 1), motif, torch.zeros_like(motif))
    return 0.2 * weave + draw.uniform(0.05, 0.3, count, 1, 1) * pile + 0.6 * woven


def _motif(draw: Draw, count: int) -> Tensor:
    """Two shades with mirror symmetry."""
    noise = spectral_noise(draw, count, steepest=2.5)
    symmetric = noise + noise.flip(1) + noise.flip(2) + noise.flip(1).flip(2)
    return torch.sign(symmetric)


def asphalt(draw: Draw, count: int) -> Tensor:
    """Roads and concrete: fine grain, patches, cracks, and in some a painted line."""
    x, _ = texel_grid(draw)
    grain = spectral_noise(draw, count, steepest=0.7)
    crack = 1 - (fractal_noise(draw, count).abs() * draw.log_uniform(8, 40, count, 1, 1)).clamp(max=1)
    patches = torch.sign(fractal_noise(draw, count) - draw.uniform(0, 1, count, 1, 1))
    line = ((x - draw.uniform(0.2, 0.8, count, 1, 1)).abs() < draw.log_uniform(0.01, 0.08, count, 1, 1)).float()
    worn = line * (spectral_noise(draw, count, steepest=1.2) > -1)
    return (
        0.15 * grain
        - 0.5 * crack * draw.chance(0.5, count, 1, 1)
        + 0.1 * patches * draw.chance(0.5, count, 1, 1)
        + worn * draw.chance(0.3, count, 1, 1)
    )


def foliage(draw: Draw, count: int) -> Tensor:
    """Shapes that hide one another: leaves, clutter, crowds. Their sizes follow a power law, as in photos."""
    x, y = texel_grid(draw)
    gray = 0.5 * spectral_noise(draw, count)
    box = draw.chance(0.3, count, 1, 1)
    slender = draw.log_uniform(1, 5, count, 1, 1)
    for leaf in range(LEAVES):
        radius = 0.03 + 0.35 * draw.uniform(0, 1, count, 1, 1) ** 4 * (1 - leaf / LEAVES)
        dx, dy = (_wrapped(place - draw.uniform(0, 1, count, 1, 1)) for place in (x, y))
        angle = draw.uniform(0, math.pi, count, 1, 1)
        u, v = dx * angle.cos() + dy * angle.sin(), (dy * angle.cos() - dx * angle.sin()) * slender
        distance = torch.where(box, torch.maximum(u.abs(), v.abs()), torch.hypot(u, v)) / radius
        shade = draw.normal(count, 1, 1) + draw.normal(count, 1, 1) * 0.5 * u / radius
        gray = torch.where(distance < 1, shade + 0.2 * (v / radius).abs(), gray)
    return 0.5 * gray + 0.05 * draw.normal(count, SIDE, SIDE)


def _wrapped(difference: Tensor) -> Tensor:
    return difference - difference.round()


def corrugated(draw: Draw, count: int) -> Tensor:
    """Ridges, grids and blinds: hardly anything but their number tells one from the next."""
    x, y = texel_grid(draw)
    waves = draw.integers(30, count, 1, 1) + 3
    profile = torch.sin(2 * math.pi * waves * x)
    sharp = draw.log_uniform(0.5, 8, count, 1, 1)
    ridges = torch.tanh(sharp * profile)
    crossed = torch.tanh(sharp * torch.sin(2 * math.pi * waves * y))
    gray = torch.where(draw.chance(0.3, count, 1, 1), torch.maximum(ridges, crossed), ridges + 0 * y)
    stains = 0.3 * spectral_noise(draw, count)
    gray = 0.4 * gray + draw.uniform(0, 1, count, 1, 1) * stains
    return torch.where(draw.chance(0.5, count, 1, 1), gray, gray.transpose(1, 2))


def plaster(draw: Draw, count: int) -> Tensor:
    """Noise of many spectra, in some with few shades, in some with its bright side up."""
    noise = spectral_noise(draw, count)
    kind = draw.integers(3, count, 1, 1)
    stepped = (noise * 1.5).round() / 1.5 + 0.1 * spectral_noise(draw, count, steepest=1)
    ridged = -noise.abs()
    return 0.5 * shift(draw, torch.where(kind == 0, noise, torch.where(kind == 1, stepped, ridged)))
