"""Batched ray caster for textured rectangles, with exact depth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.training.data.textures import SIDE, TextureAtlas

NEAR = 0.05  # meters, near plane


@dataclass(frozen=True)
class Scene:
    """B scenes of Q textured rectangles each, in world coordinates, meters.

    Attributes:
        center: (B, Q, 3).
        right, up: (B, Q, 3), orthogonal vectors from the center to the midpoints of two sides.
        texture: (B, Q) int64, index in the atlas.
        repeats_per_meter: (B, Q), repetitions of the texture per meter.
        contrast, shade: (B, Q), gray value = shade + contrast * (texture - 0.5).
        moving: (B, Q) bool, whether the rectangle moves between views: it is visible, but has no ground truth depth.
    """

    center: Tensor
    right: Tensor
    up: Tensor
    texture: Tensor
    repeats_per_meter: Tensor
    contrast: Tensor
    shade: Tensor
    moving: Tensor


@dataclass(frozen=True)
class View:
    """B rendered images.

    Attributes:
        image: (B, 1, H, W) in [0, 1].
        depth: (B, H, W) meters along the optical axis; infinite on background and moving rectangles.
    """

    image: Tensor
    depth: Tensor


def pixel_rays(K: Tensor, height: int, width: int) -> Tensor:
    """Rays of unit depth through all pixel centers, optical frame: (B, H * W, 3), given camera matrices (B, 3, 3)."""
    y, x = torch.meshgrid(torch.arange(height, device=K.device), torch.arange(width, device=K.device), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(-1, 3).to(K.dtype)
    return pixels @ torch.linalg.inv(K).transpose(1, 2)


@torch.no_grad()
def render(scene: Scene, atlas: TextureAtlas, K: Tensor, T_world_camera: Tensor, size: tuple[int, int]) -> View:
    """Render one view of each scene.

    Args:
        scene: B scenes.
        atlas: textures on the same device.
        K: (B, 3, 3) camera matrices, pixels.
        T_world_camera: (B, 4, 4), optical frame.
        size: height and width in pixels.
    """
    height, width = size
    rays = pixel_rays(K, height, width) @ T_world_camera[:, :3, :3].transpose(1, 2)
    depth, hit, s, t = _cast(scene, T_world_camera[:, :3, 3], rays)
    gray = _shade(scene, atlas, rays, K[:, 0, 0], depth, hit, s, t)
    gray = torch.where(depth.isfinite(), gray, 0.0)
    depth = depth.masked_fill(scene.moving.gather(1, hit), torch.inf)
    return View(gray.clamp(0, 1).view(-1, 1, height, width), depth.view(-1, height, width))


def _cast(scene: Scene, origin: Tensor, rays: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Nearest rectangle on each ray: depth, index, and hit point in meters from its center."""
    normal = torch.linalg.cross(scene.right, scene.up)
    offset = scene.center - origin[:, None]
    depth = (offset * normal).sum(2)[:, None] / (rays @ normal.transpose(1, 2))  # (B, P, Q)
    outside = ~(depth > NEAR)  # True for NaN, when a ray is parallel to the plane
    for axis in (scene.right, scene.up):
        unit = axis / (axis**2).sum(2, keepdim=True)  # 1 at the edge
        along = rays @ unit.transpose(1, 2)
        # In place: these are the largest tensors of a training step.
        outside |= along.mul_(depth).sub_((offset * unit).sum(2)[:, None]).abs_() > 1
    depth, hit = depth.masked_fill_(outside, torch.inf).min(dim=2)

    # Recompute the hit point for the nearest rectangle only, which is cheaper than storing it for all.
    on_ray = rays * depth.nan_to_num(posinf=0.0)[..., None] - _take(offset, hit)
    s, t = ((on_ray * F.normalize(_take(axis, hit), dim=2)).sum(2) for axis in (scene.right, scene.up))
    return depth, hit, s, t


def _shade(
    scene: Scene, atlas: TextureAtlas, rays: Tensor, focal: Tensor, depth: Tensor, hit: Tensor, s: Tensor, t: Tensor
) -> Tensor:
    """Sample the texture of the hit rectangle at the mip level of the pixel footprint: (B, P)."""
    repeats = scene.repeats_per_meter.gather(1, hit)
    normal = F.normalize(_take(torch.linalg.cross(scene.right, scene.up), hit), dim=2)
    slant = (F.normalize(rays, dim=2) * normal).sum(2).abs().clamp(min=0.1)
    # Geometric mean of the footprint across and along the slant: a compromise between blur and aliasing.
    meters_per_pixel = depth.nan_to_num(posinf=0.0) / focal[:, None] / slant.sqrt()
    uv = torch.stack([s, t], dim=2) * repeats[..., None]
    texture = scene.texture.gather(1, hit)
    gray = atlas.sample(texture.flatten(), uv.flatten(0, 1), (meters_per_pixel * repeats * SIDE).flatten())
    contrast, shade = scene.contrast.gather(1, hit), scene.shade.gather(1, hit)
    return shade + contrast * (gray.view_as(depth) - 0.5)


def _take(values: Tensor, index: Tensor) -> Tensor:
    """Pick (B, P, 3) of (B, Q, 3) by (B, P) indices."""
    return values.gather(1, index[..., None].expand(-1, -1, 3))
