"""Pairs of views of places of all kinds."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import View, render
from loftr_ros.training.data.scenes import ViewPair, random_cameras
from loftr_ros.training.data.textures import TextureAtlas
from loftr_ros.training.data.world.camera import blurred, with_vehicle
from loftr_ros.training.data.world.indoors import aisle, corridor, rails, stairs
from loftr_ros.training.data.world.light import Light
from loftr_ros.training.data.world.outdoors import field, street
from loftr_ros.training.data.world.place import Place, a_moment_later
from loftr_ros.training.data.world.viewpoints import first_poses, second_poses, zoomed

KINDS: dict[str, Callable[[Draw, int, int], Place]] = {
    "corridor": corridor,
    "stairs": stairs,
    "aisle": aisle,
    "rails": rails,
    "street": street,
    "field": field,
}
LONGEST_BLUR = 5.0  # pixels
JUMP = 0.3  # standard deviation of the logarithm of the exposure in hard pairs
VEHICLE = 0.15  # share of the pairs in which parts of the vehicle are seen


def world_pairs(
    draw: Draw, atlas: TextureAtlas, batch: int, size: tuple[int, int], difficulty: float, kind: str | None = None
) -> ViewPair:
    """Render a batch of pairs, all kinds mixed, or one kind only.

    Args:
        draw: random numbers.
        atlas: textures.
        batch: B.
        size: height and width, pixels.
        difficulty: in [0, 1]: less overlap, more roll, zoom and blur.
        kind: a key of KINDS, or None.
    """
    makers = list(KINDS.values()) if kind is None else [KINDS[kind]]
    place = Place.choose([make(draw, atlas.count, batch) for make in makers], draw.integers(len(makers), batch))
    K_a = random_cameras(draw, batch, size)
    K_b = zoomed(draw, K_a, difficulty)
    T_world_a = first_poses(draw, place)
    a = render(place.scene, atlas, K_a, T_world_a, size)
    T_world_b = second_poses(draw, place, T_world_a, a.depth, K_a, K_b, difficulty)
    b = render(a_moment_later(draw, place.scene), atlas, K_b, T_world_b, size)
    T_b_a = torch.linalg.inv(T_world_b) @ T_world_a
    light = Light.random(draw, place.low, place.high)
    a, b = light.on(a, K_a, T_world_a), light.later(draw).on(b, K_b, T_world_b)
    a = blurred(draw, a, K_a, T_b_a, LONGEST_BLUR * difficulty)
    b = blurred(draw, b, K_b, torch.linalg.inv(T_b_a), LONGEST_BLUR * difficulty)
    a, b = with_vehicle(draw, a, b, VEHICLE)
    level = draw.uniform(0.25, 0.6, batch)
    a, b = (_exposed(draw, view, level, JUMP * difficulty) for view in (a, b))
    return ViewPair(a, b, K_a, T_b_a, K_b)


def _exposed(draw: Draw, view: View, level: Tensor, jump: float) -> View:
    """Expose images for a mean gray value near `level` (B,), as cameras do; `jump` is how far off, log scale."""
    mean = view.image.mean((1, 2, 3)).clamp(min=0.02)
    gain = level * (jump * draw.normal(len(level))).exp() / mean
    return View((view.image * gain.clamp(0.3, 6)[:, None, None, None]).clamp(0, 1), view.depth)
