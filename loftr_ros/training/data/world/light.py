"""Light of a place: a lamp or the sun, and shadows that move between the views."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import View, pixel_rays

FAR = 60.0  # meters: the distance of what has no depth
STRIPES = 2  # families of shadows


@dataclass(frozen=True)
class Light:
    """How surfaces of B scenes are lit, by place in the world.

    Attributes:
        lamp: (B, 3) where it is brightest.
        reach: (B,) meters in which the light fades.
        ambient: (B,) part of the light that does not.
        normal: (B, STRIPES, 3), across the shadows, radians per meter.
        phase: (B, STRIPES) radians, where the shadows are.
        dark: (B, STRIPES) how much light they take, 0 for none.
        width: (B, STRIPES) in [-1, 1], cosine at which a shadow ends.
    """

    lamp: Tensor
    reach: Tensor
    ambient: Tensor
    normal: Tensor
    phase: Tensor
    dark: Tensor
    width: Tensor

    @classmethod
    def random(cls, draw: Draw, low: Tensor, high: Tensor) -> Light:
        """Light with its lamp between two corners (B, 3)."""
        batch = len(low)
        size = (high - low).norm(dim=1)
        wave = 6.28 / (size[:, None] * draw.log_uniform(0.1, 1, batch, STRIPES))
        return cls(
            lamp=low + draw.uniform(0, 1, batch, 3) * (high - low),
            reach=size * draw.log_uniform(0.2, 2, batch),
            ambient=draw.uniform(0.35, 1, batch),
            normal=draw.direction(batch, STRIPES) * wave[..., None],
            phase=draw.uniform(0, 6.28, batch, STRIPES),
            dark=draw.uniform(0.1, 0.7, batch, STRIPES) * draw.chance(0.3, batch, STRIPES),
            width=draw.uniform(-0.5, 0.9, batch, STRIPES),
        )

    def later(self, draw: Draw) -> Light:
        """The same light when the shadows of half of the scenes have moved."""
        batch = len(self.phase)
        step = draw.normal(*self.phase.shape) * draw.chance(0.5, batch, 1)
        return Light(self.lamp, self.reach, self.ambient, self.normal, self.phase + step, self.dark, self.width)

    def on(self, view: View, K: Tensor, T_world_camera: Tensor) -> View:
        """Light a rendered view; its depth stays."""
        batch, height, width = view.depth.shape
        rays = pixel_rays(K, height, width)  # of the camera: lamp and shadows are taken into its frame instead
        R = T_world_camera[:, :3, :3]
        depth = view.depth.flatten(1).clamp(max=FAR)
        offset = self.lamp - T_world_camera[:, :3, 3]
        # All that is linear in the point: toward the lamp, and across the shadows, (B, P, 1 + STRIPES).
        directions = torch.cat([offset[:, None] @ R, self.normal @ R], dim=1)
        along = (rays @ directions.transpose(1, 2)).mul_(depth[..., None])
        squared = (rays**2).sum(2).mul_(depth**2).sub_(2 * along[..., 0]).add_((offset**2).sum(1, keepdim=True))
        fading = (squared.div_(self.reach[:, None] ** 2).add_(1)).reciprocal_()
        factor = fading.mul_((1 - self.ambient)[:, None]).add_(self.ambient[:, None])
        start = (self.normal @ T_world_camera[:, :3, 3, None])[..., 0] + self.phase
        for stripe in range(STRIPES):
            wave = along[..., 1 + stripe].add(start[:, stripe, None]).cos_().sub_(self.width[:, stripe, None])
            factor.mul_(1 - wave.mul_(8).clamp_(0, 1).mul_(self.dark[:, stripe, None]))
        return View(view.image * factor.view(batch, 1, height, width), view.depth)
