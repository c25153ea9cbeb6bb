"""Periodic noise, so that repetitions of a texture join."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.textures.atlas import SIDE


def fractal_noise(draw: Draw, count: int) -> Tensor:
    """Octaves of periodic noise, which repeats seamlessly: (count, SIDE, SIDE)."""
    total = torch.zeros(count, SIDE, SIDE, device=draw.device)
    for octave in range(2, 8):
        grid = F.pad(draw.normal(count, 1, 2**octave, 2**octave), (1, 1, 1, 1), mode="circular")
        step = SIDE >> octave
        smooth = F.interpolate(grid, scale_factor=float(step), mode="bilinear")[:, 0, step:-step, step:-step]
        total += smooth * 0.6 ** (octave - 2)
    return total


def spectral_noise(draw: Draw, count: int, steepest: float = 2.2) -> Tensor:
    """Noise with power-law spectra of many slopes and directions, unit variance: (count, SIDE, SIDE).

    Args:
        draw: random numbers.
        count: of textures.
        steepest: largest exponent of the amplitude spectrum; 0 is white noise, 1 is like natural images.
    """
    frequency = torch.fft.fftfreq(SIDE, 1 / SIDE, device=draw.device)
    fy, fx = frequency[:, None], frequency[None, : SIDE // 2 + 1].abs()
    angle = draw.uniform(0, torch.pi, count, 1, 1)
    stretch = torch.where(draw.chance(0.4, count, 1, 1), draw.log_uniform(1.5, 12, count, 1, 1), 1.0)
    along, across = fx * angle.cos() + fy * angle.sin(), fy * angle.cos() - fx * angle.sin()
    radius = torch.sqrt(along**2 * stretch + across**2 / stretch + 1.0)
    amplitude = radius ** -draw.uniform(0.2, steepest, count, 1, 1)
    spectrum = torch.fft.rfft2(draw.normal(count, SIDE, SIDE)) * amplitude
    return standardized(torch.fft.irfft2(spectrum, s=(SIDE, SIDE)))


def standardized(images: Tensor) -> Tensor:
    """Bring images (K, H, W) to zero mean and unit variance each."""
    mean, spread = images.mean((1, 2), keepdim=True), images.std((1, 2), keepdim=True)
    return (images - mean) / spread.clamp(min=1e-6)


def texel_grid(draw: Draw) -> tuple[Tensor, Tensor]:
    """Coordinates x (1, 1, SIDE) and y (1, SIDE, 1) of the texels, in [0, 1)."""
    steps = (torch.arange(SIDE, device=draw.device) + 0.5) / SIDE
    return steps.view(1, 1, SIDE), steps.view(1, SIDE, 1)


def shift(draw: Draw, images: Tensor) -> Tensor:
    """Move each image by its own random whole number of texels, around the rims."""
    count = len(images)
    steps = torch.arange(SIDE, device=draw.device)
    rows = (steps + draw.integers(SIDE, count, 1)) % SIDE
    columns = (steps + draw.integers(SIDE, count, 1)) % SIDE
    index = torch.arange(count, device=draw.device)[:, None, None]
    return images[index, rows[:, :, None], columns[:, None, :]]
