"""Light of a place: a lamp or the sun, and shadows that move between the views."""

from __future__ import annotations

from dataclasses import dataclass

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
        rays = pixel_rays(K, height, width) @ T_world_camera[:, :3, :3].transpose(1, 2)
        depth = view.depth.flatten(1).clamp(max=FAR)
        # What varies along straight lines is worked out without the points themselves: (n . origin) + (n . ray) depth.
        origin = T_world_camera[:, :3, 3]
        offset = self.lamp - origin
        along = (rays @ offset[..., None])[..., 0]
        squared = (rays**2).sum(2) * depth**2 - 2 * along * depth + (offset**2).sum(1, keepdim=True)
        factor = self.ambient[:, None] + (1 - self.ambient)[:, None] / (1 + squared / self.reach[:, None] ** 2)
        wave = (rays @ self.normal.transpose(1, 2)) * depth[..., None]
        wave = (wave + (self.normal @ origin[..., None])[..., 0][:, None] + self.phase[:, None]).cos()
        shadow = ((wave - self.width[:, None]) * 8).clamp_(0, 1) * self.dark[:, None]
        factor = factor * (1 - shadow[..., 0]) * (1 - shadow[..., 1])
        return View(view.image * factor.view(batch, 1, height, width), view.depth)
