"""What belongs to the camera: blur along its motion, and parts of the vehicle in its view."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import View, pixel_rays

FAR = 60.0  # meters: the distance of what has no depth
TAPS = 5  # images that a blurred one is the mean of
PARTS = 3  # of a vehicle
MOST_COVERED = 0.35  # of the height of an image


def blurred(draw: Draw, view: View, K: Tensor, T_b_a: Tensor, longest: float) -> View:
    """Blur the first third of the batch along the motion of the camera; the middle of the exposure is the pose.

    Args:
        draw: random numbers.
        view: of camera a.
        K: (B, 3, 3).
        T_b_a: (B, 4, 4), motion whose direction is taken, whatever its length.
        longest: pixels, upper bound of the mean length.
    """
    count = -(-len(view.image) // 3)
    image, depth = view.image[:count], view.depth[:count]
    length = longest * draw.uniform(0, 1, count) ** 2
    flow = _unit_flow(depth, K[:count], T_b_a[:count]) * length[:, None, None, None]
    height, width = depth.shape[1:]
    scale = torch.tensor([2 / width, 2 / height], device=flow.device)
    y, x = torch.meshgrid(
        torch.arange(height, device=flow.device), torch.arange(width, device=flow.device), indexing="ij"
    )
    grid = (torch.stack([x, y], dim=-1) + 0.5) * scale - 1
    mean = image / TAPS
    for tap in range(TAPS):
        share = tap / (TAPS - 1) - 0.5
        if share:
            place = grid + share * flow * scale
            mean = mean + F.grid_sample(image, place, padding_mode="border", align_corners=False) / TAPS
    return View(torch.cat([mean, view.image[count:]]), view.depth)


def _unit_flow(depth: Tensor, K: Tensor, T_b_a: Tensor) -> Tensor:
    """Motion of the image of a when the camera starts towards b, (B, H, W, 2), of mean length one."""
    batch, height, width = depth.shape
    rays = pixel_rays(K, height, width)
    R, t = T_b_a[:, :3, :3], T_b_a[:, :3, 3]
    turn = torch.stack([R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], R[:, 1, 0] - R[:, 0, 1]], dim=1) / 2
    inverse = 1 / depth.flatten(1).clamp(0.1, FAR)
    velocity = torch.linalg.cross(turn[:, None].expand_as(rays), rays) + t[:, None] * inverse[..., None]
    flow = (velocity[..., :2] - rays[..., :2] * velocity[..., 2:]) * K[:, 0, 0][:, None, None]
    size = flow.norm(dim=2).mean(1).clamp(min=1e-6)
    # Near things may move much faster than the mean; a blur so long would be no blur but several images.
    flow = (flow / size[:, None, None]).clamp(-4, 4)
    return flow.view(batch, height, width, 2)


def with_vehicle(draw: Draw, a: View, b: View, chance: float) -> tuple[View, View]:
    """Put the same parts of a vehicle at the same place of both images, without depth: hood, bars, a gripper."""
    batch, height, width = a.depth.shape
    x = torch.linspace(-1, 1, width, device=a.depth.device).view(1, 1, width)
    y = torch.linspace(0, 1, height, device=a.depth.device).view(1, height, 1)
    mask = torch.zeros(batch, height, width, dtype=torch.bool, device=a.depth.device)
    for part in range(PARTS):
        center, slope = draw.uniform(-0.9, 0.9, batch, 1, 1), draw.uniform(-0.4, 0.4, batch, 1, 1)
        half = draw.log_uniform(0.03, 0.2, batch, 1, 1) if part else draw.uniform(0.5, 2, batch, 1, 1)
        top = 1 - MOST_COVERED * draw.uniform(0.1, 1, batch, 1, 1)
        arch = torch.where(draw.chance(0.5, batch, 1, 1), 0.1, 0.0)
        inside = ((x - center - slope * (y - 1)).abs() < half) & (y > top + arch * (x - center) ** 2)
        mask |= inside & draw.chance(0.6, batch, 1, 1)
    mask &= draw.chance(chance, batch, 1, 1)
    coarse = draw.uniform(-1, 1, batch, 1, 9, 12) * draw.log_uniform(0.02, 0.3, batch, 1, 1, 1)
    texture = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)[:, 0]
    gray = draw.uniform(0.05, 0.7, batch, 1, 1) + texture
    return _covered(a, mask, gray), _covered(b, mask, gray)


def _covered(view: View, mask: Tensor, gray: Tensor) -> View:
    image = torch.where(mask[:, None], gray.clamp(0, 1)[:, None], view.image)
    return View(image, view.depth.masked_fill(mask, torch.inf))
