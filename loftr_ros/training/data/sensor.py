"""What sensors and codecs do to images: vignetting, night noise, JPEG; more of it in harder pairs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw

BLOCK = 8  # pixels, of JPEG
# Quantization of luminance at quality 50, Annex K of the standard, over 255.
TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


@torch.no_grad()
def vignetted(draw: Draw, images: Tensor, difficulty: float) -> Tensor:
    """Darken the corners, by up to two thirds."""
    _, _, height, width = images.shape
    y = torch.linspace(-1, 1, height, device=images.device).view(1, 1, height, 1)
    x = torch.linspace(-1, 1, width, device=images.device)
    strength = draw.uniform(0, 0.65, len(images), 1, 1, 1) * draw.chance(0.4 * difficulty, len(images), 1, 1, 1)
    return images * (1 - strength * (x**2 + y**2) / 2)


@torch.no_grad()
def night(draw: Draw, images: Tensor, difficulty: float) -> Tensor:
    """Amplify few photons in some images: noise that grows with the root of the light."""
    batch = len(images)
    strength = draw.log_uniform(0.02, 0.15, batch, 1, 1, 1) * draw.chance(0.2 * difficulty, batch, 1, 1, 1)
    noise = draw.normal(*images.shape) * (images.clamp(min=0) + 0.05).sqrt()
    return images + strength * noise


@torch.no_grad()
def compressed(draw: Draw, images: Tensor, difficulty: float) -> Tensor:
    """Compress some of the images (B, 1, H, W) as JPEG does; H and W are multiples of 8."""
    batch, _, height, width = images.shape
    chosen = draw.chance(0.1 + 0.3 * difficulty, batch, 1, 1, 1)
    table = torch.tensor(TABLE, device=images.device) / 255
    step = table * draw.log_uniform(0.4, 3, batch, 1, 1, 1, 1)  # qualities from 80 down to 17
    D = _cosines(images.device)
    blocks = images.view(batch, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(2, 3)
    levels = ((D @ blocks @ D.T) / step).round_()
    back = (D.T @ (levels * step) @ D).transpose(2, 3).reshape(images.shape)
    return torch.where(chosen, back, images).clamp(0, 1)


def _cosines(device: torch.device) -> Tensor:
    """Orthonormal discrete cosine transform of a block side."""
    k = torch.arange(BLOCK, device=device).float()
    D = (math.pi / BLOCK * (k + 0.5) * k[:, None]).cos() * math.sqrt(2 / BLOCK)
    D[0] /= math.sqrt(2)
    return D
