"""Photometric augmentation: illumination, glare, blur, exposure and noise, independent for each image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.sensor import compressed, night, vignetted

KERNEL = 7  # pixels, side of the blur kernels
SPOTS = 2  # reflections in an image


@torch.no_grad()
def photometric(draw: Draw, images: Tensor, difficulty: float = 0.0) -> Tensor:
    """Return (B, 1, H, W) images as another camera at another time might have taken them.

    Args:
        draw: random numbers.
        images: in [0, 1].
        difficulty: in [0, 1]; above 0, there is vignetting, night noise and JPEG, too.
    """
    images = _uneven_light(draw, images)
    images = _glare(draw, images)
    if difficulty > 0:
        images = vignetted(draw, images, difficulty)
    images = _blur(draw, images)
    if difficulty > 0:
        images = night(draw, images, difficulty)
    images = _exposure_and_noise(draw, images)
    return compressed(draw, images, difficulty) if difficulty > 0 else images


def _uneven_light(draw: Draw, images: Tensor) -> Tensor:
    strength = draw.uniform(0, 0.25, len(images), 1, 1, 1)
    coarse = draw.uniform(-1, 1, len(images), 1, 4, 4) * strength
    return images * (1 + F.interpolate(coarse, images.shape[2:], mode="bicubic", align_corners=False))


def _glare(draw: Draw, images: Tensor) -> Tensor:
    """Add bright spots to 20 % of the images: reflections, which do not move with the surface."""
    batch, _, height, width = images.shape
    y = torch.linspace(0, 1, height, device=images.device).view(1, height, 1)
    x = torch.linspace(0, 1, width, device=images.device).view(1, 1, width)
    for _ in range(SPOTS):
        center_x, center_y = draw.uniform(0, 1, 2, batch, 1, 1)
        radius_x, radius_y = draw.log_uniform(0.02, 0.2, 2, batch, 1, 1)
        strength = draw.uniform(0.1, 0.8, batch, 1, 1) * draw.chance(0.2, batch, 1, 1)
        spot = torch.exp(-((x - center_x) ** 2) / radius_x**2) * torch.exp(-((y - center_y) ** 2) / radius_y**2)
        images = images + (strength * spot)[:, None]
    return images


def _blur(draw: Draw, images: Tensor) -> Tensor:
    """Apply defocus or motion blur to 40 % of the images, in one grouped convolution."""
    batch = len(images)
    steps = torch.arange(KERNEL, device=images.device) - KERNEL // 2
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    angle = draw.uniform(0, torch.pi, batch, 1, 1)
    along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    wide = draw.uniform(0.3, 1.2, batch, 1, 1)
    moving = draw.chance(0.4, batch, 1, 1)
    length = torch.where(moving, draw.uniform(0.8, 2.5, batch, 1, 1), wide)
    width = torch.where(moving, 0.4, wide)
    kernel = torch.exp(-0.5 * ((along / length) ** 2 + (across / width) ** 2))
    sharp = ((x == 0) & (y == 0)).float()
    kernel = torch.where(draw.chance(0.4, batch, 1, 1), kernel / kernel.sum((1, 2), keepdim=True), sharp)
    padded = F.pad(images, [KERNEL // 2] * 4, mode="replicate")
    return F.conv2d(padded.transpose(0, 1), kernel[:, None], groups=batch).transpose(0, 1)


def _exposure_and_noise(draw: Draw, images: Tensor) -> Tensor:
    shape = (len(images), 1, 1, 1)
    change = draw.uniform(0, 1.5, *shape)  # small changes are more likely, as in video
    gamma = (0.25 * change * draw.normal(*shape)).exp()
    gain = (0.2 * change * draw.normal(*shape)).exp()
    bias = 0.05 * change * draw.normal(*shape)
    noise = draw.log_uniform(0.002, 0.04, *shape) * draw.normal(*images.shape)
    return (images.clamp(0, 1) ** gamma * gain + bias + noise).clamp(0, 1)
