"""A place: textured rectangles, and where cameras may be among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import Scene

RECTANGLES = 22  # of every place, so that places of all kinds go into one batch


@dataclass(frozen=True)
class Place:
    """B scenes and their free space.

    Attributes:
        scene: RECTANGLES rectangles each.
        low, high: (B, 3), corners of the box that cameras stay in, meters (x right, y down, z along the place).
        pitch: (B,), radians that cameras look down on average.
    """

    scene: Scene
    low: Tensor
    high: Tensor
    pitch: Tensor

    @classmethod
    def choose(cls, places: Sequence[Place], kind: Tensor) -> Place:
        """Take for each element of the batch the place whose number is given, (B,) int64."""
        index = torch.arange(len(kind), device=kind.device)

        def pick(parts: list[Tensor]) -> Tensor:
            return torch.stack(parts)[kind, index]

        scene = Scene(*(pick([getattr(place.scene, field.name) for place in places]) for field in fields(Scene)))
        low, high, pitch = (pick([getattr(place, name) for place in places]) for name in ("low", "high", "pitch"))
        return cls(scene, low, high, pitch)


def vectors(x: Tensor | float, y: Tensor | float, z: Tensor | float, like: Tensor) -> Tensor:
    """Stack coordinates, each one a number or broadcast to the shape of `like` (B, N): (B, N, 3)."""
    return torch.stack([torch.zeros_like(like) + part for part in (x, y, z)], dim=2)


def rectangles(
    draw: Draw,
    textures: int,
    center: Tensor,
    right: Tensor,
    up: Tensor,
    texture: Tensor | None = None,
    repeats: Tensor | None = None,
    contrast: tuple[float, float] = (0.3, 1.1),
    moving: Tensor | None = None,
) -> Scene:
    """Give rectangles (B, N, 3) a look: textures at random where none are given.

    Args:
        draw: random numbers.
        textures: number of textures.
        center, right, up: see `Scene`.
        texture: (B, N) or (B, 1) indices; the same look for all where they are equal.
        repeats: (B, N) or (B, 1) per meter.
        contrast: bounds.
        moving: (B, N), none where it is None.
    """
    batch, count = center.shape[:2]
    shape = (batch, count) if texture is None else (batch, texture.shape[1])
    longest = torch.maximum(right.norm(dim=2), up.norm(dim=2))
    if repeats is None:
        repeats = (draw.log_uniform(0.7, 8, batch, count) / (2 * longest)).clamp(max=4.0)
    plain = torch.where(draw.chance(0.25, batch, 1), 0.25, 1.0)  # places with hardly any texture

    def full(values: Tensor) -> Tensor:
        return values.expand(batch, count)

    return Scene(
        center=center,
        right=right.expand_as(center),
        up=up.expand_as(center),
        texture=full(draw.integers(textures, *shape) if texture is None else texture),
        repeats_per_meter=full(repeats),
        contrast=full(draw.log_uniform(*contrast, *shape) * plain),
        shade=full(draw.uniform(0.3, 0.7, *shape)),
        moving=torch.zeros(batch, count, dtype=torch.bool, device=draw.device) if moving is None else moving,
    )


def joined(scenes: Sequence[Scene]) -> Scene:
    """All rectangles of several scenes in one."""
    return Scene(*(torch.cat([getattr(scene, field.name) for scene in scenes], dim=1) for field in fields(Scene)))


def a_moment_later(draw: Draw, scene: Scene) -> Scene:
    """Move what moves by up to its own size, mostly over the ground."""
    size = torch.maximum(scene.right.norm(dim=2), scene.up.norm(dim=2)).clamp(max=3.0)  # clouds are large and slow
    level = torch.tensor([1.0, 0.15, 1.0], device=draw.device)
    step = draw.direction(*size.shape) * level * (size * draw.uniform(0.1, 1.2, *size.shape))[..., None]
    return replace(scene, center=scene.center + torch.where(scene.moving[..., None], step, 0.0))
