"""Corridors with equal panels and doors, stairs, aisles between shelves, rooms with rails and legs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import Scene
from loftr_ros.training.data.scenes import box_faces, rotation_y
from loftr_ros.training.data.world.place import Place, joined, rectangles, vectors

DOORS, LIGHTS, SIGNS = 4, 3, 4  # of a corridor: doors on each side
STEPS = 7
BARS = 10
SIDES = slice(1, 3)  # of the faces of a room: those across x
PROUD = 0.02  # meters that doors and signs stand out of a wall


def corridor(draw: Draw, textures: int, batch: int) -> Place:
    """A long corridor: equal panels and doors at equal distances, and a few signs that tell where one is."""
    half = _half_size(draw, batch, (0.8, 2.2), (1.1, 1.7), (5, 30))
    walls = _walls(draw, textures, half)
    # Both sides alike: panels of one width, repeated to the end.
    panel = 1 / draw.log_uniform(0.6, 3, batch, 1)
    side = _side_by_side(draw, textures, half, draw.log_uniform(2, 6, batch, 1))
    look = draw.integers(textures, batch, 1)
    walls = _with(walls, SIDES, look, panel)
    lights = draw.uniform(1.5, 5, batch, 1) * (torch.arange(LIGHTS, device=draw.device) + draw.uniform(0, 1, batch, 1))
    ceiling = rectangles(
        draw,
        textures,
        vectors(0.0, PROUD - half[:, 1:2], lights - half[:, 2:], lights),
        vectors(draw.log_uniform(0.1, 0.5, batch, 1), 0.0, 0.0, lights),
        vectors(0.0, 0.0, draw.log_uniform(0.1, 0.8, batch, 1), lights),
        texture=draw.integers(textures, batch, 1),
    )
    where = draw.uniform(-0.9, 0.3, batch, SIGNS) * half[:, 2:]
    left = torch.where(draw.chance(0.5, batch, SIGNS), 1.0, -1.0)
    signs = rectangles(
        draw,
        textures,
        vectors(left * (half[:, :1] - 2 * PROUD), draw.uniform(-0.7, 0.5, batch, SIGNS) * half[:, 1:2], where, where),
        vectors(0.0, 0.0, draw.log_uniform(0.08, 0.6, batch, SIGNS), where),
        vectors(0.0, -draw.log_uniform(0.08, 0.5, batch, SIGNS), 0.0, where),
    )
    people = person(draw, textures, half, 1)
    return _indoors(joined([walls, side, ceiling, signs, people]), half)


def _side_by_side(draw: Draw, textures: int, half: Tensor, spacing: Tensor) -> Scene:
    """Doors on both sides of a corridor, all alike."""
    batch = len(half)
    number = torch.arange(DOORS, device=draw.device).repeat(2)
    z = spacing * (number + draw.uniform(0, 1, batch, 1)) - half[:, 2:]
    sign = torch.tensor([1.0] * DOORS + [-1.0] * DOORS, device=draw.device)
    height = 0.9 * half[:, 1:2]
    tall, wide = height * draw.uniform(0.7, 0.98, batch, 1), draw.uniform(0.35, 0.6, batch, 1)
    return rectangles(
        draw,
        textures,
        vectors(sign * (half[:, :1] - PROUD), half[:, 1:2] - tall, z, z),
        vectors(0.0, 0.0, wide, z),
        vectors(0.0, -tall, 0.0, z),
        texture=draw.integers(textures, batch, 1),
        repeats=0.5 / tall,
    )


def stairs(draw: Draw, textures: int, batch: int) -> Place:
    """Steps up to a wall, treads and risers, in a room."""
    half = _half_size(draw, batch, (1.2, 3), (1.8, 2.6), (2.5, 5))
    rise, run = draw.uniform(0.14, 0.2, batch, 1), draw.uniform(0.25, 0.4, batch, 1)
    number = torch.arange(STEPS, device=draw.device).float().expand(batch, STEPS)
    wide = half[:, :1] * draw.uniform(0.5, 1, batch, 1)
    z = half[:, 2:] - run * (STEPS - number)
    y = half[:, 1:2] - rise * (number + 1)
    tread = rectangles(
        draw,
        textures,
        vectors(0.0, y, z + run / 2, number),
        vectors(wide, 0.0, 0.0, number),
        vectors(0.0, 0.0, run / 2, number),
        texture=draw.integers(textures, batch, 1),
    )
    riser = rectangles(
        draw,
        textures,
        vectors(0.0, y + rise / 2, z, number),
        vectors(wide, 0.0, 0.0, number),
        vectors(0.0, -rise / 2, 0.0, number),
        texture=draw.integers(textures, batch, 1),
    )
    place = _indoors(joined([_walls(draw, textures, half), tread, riser, person(draw, textures, half, 2)]), half)
    high = place.high.clone()
    high[:, 2] = z[:, 0] - 0.3
    return Place(place.scene, place.low, torch.maximum(high, place.low + 0.1), place.pitch)


def aisle(draw: Draw, textures: int, batch: int) -> Place:
    """Between two shelves: fronts full of things behind boards and uprights, as in shops and warehouses."""
    half = _half_size(draw, batch, (0.9, 1.8), (1.2, 2.6), (4, 15))
    deep = draw.uniform(0.2, 0.5, batch, 1)
    walls = _walls(draw, textures, half + torch.cat([deep, torch.zeros(batch, 2, device=draw.device)], dim=1))
    walls = _with(walls, SIDES, draw.integers(textures, batch, 2), 1 / draw.log_uniform(0.5, 3, batch, 2))
    sign = torch.tensor([1.0] * 3 + [-1.0] * 3, device=draw.device)
    level = torch.tensor([-0.5, 0.0, 0.5], device=draw.device).repeat(2) + draw.uniform(-0.2, 0.2, batch, 1)
    boards = rectangles(
        draw,
        textures,
        vectors(sign * (half[:, :1] + deep / 2), level * half[:, 1:2], 0.0, level),
        vectors(deep / 2, 0.0, 0.0, level),
        vectors(0.0, 0.0, half[:, 2:], level),
        texture=draw.integers(textures, batch, 1),
    )
    # Uprights in the front, at equal distances.
    z = draw.uniform(1, 2.5, batch, 1) * torch.arange(3, device=draw.device).repeat(2) - half[:, 2:] * 0.7
    uprights = rectangles(
        draw,
        textures,
        vectors(sign * half[:, :1], 0.0, z, z),
        vectors(0.0, 0.0, draw.uniform(0.03, 0.08, batch, 1), z),
        vectors(0.0, -half[:, 1:2], 0.0, z),
        texture=draw.integers(textures, batch, 1),
    )
    return _indoors(joined([walls, boards, uprights, person(draw, textures, half, 4, standing=3)]), half)


def rails(draw: Draw, textures: int, batch: int) -> Place:
    """A room with thin things before its walls: a fence, legs, pipes and cables, upright or level."""
    half = _half_size(draw, batch, (1.5, 5), (1.2, 2.5), (2, 8))
    walls = _walls(draw, textures, half)
    number = torch.arange(BARS, device=draw.device).float().expand(batch, BARS)
    place = torch.where(draw.chance(0.5, batch, 1), number / BARS * 1.6 - 0.8, draw.uniform(-0.9, 0.9, batch, BARS))
    upright = draw.chance(0.6, batch, 1)
    thin, depth = draw.log_uniform(0.008, 0.06, batch, BARS), draw.uniform(-0.1, 0.8, batch, 1) * half[:, 2:]
    center = torch.where(
        upright[..., None],
        vectors(place * half[:, :1], 0.3 * half[:, 1:2], depth, place),
        vectors(0.0, place * half[:, 1:2], depth, place),
    )
    right = torch.where(upright[..., None], vectors(thin, 0.0, 0.0, place), vectors(half[:, :1] * 0.9, 0.0, 0.0, place))
    up = torch.where(upright[..., None], vectors(0.0, -0.7 * half[:, 1:2], 0.0, place), vectors(0.0, -thin, 0.0, place))
    bars = rectangles(draw, textures, center, right, up, texture=draw.integers(textures, batch, 1))
    return _indoors(joined([walls, bars, person(draw, textures, half, 6, standing=4)]), half)


def person(draw: Draw, textures: int, half: Tensor, count: int, standing: int = 0) -> Scene:
    """Upright figures in the free space; those after the first `standing` move in one place of two."""
    batch = len(half)
    x, z = draw.uniform(-0.8, 0.8, batch, count) * half[:, :1], draw.uniform(-0.4, 0.9, batch, count) * half[:, 2:]
    tall = torch.minimum(draw.uniform(0.3, 0.95, batch, count), 0.9 * half[:, 1:2])
    wide = draw.uniform(0.15, 0.4, batch, count)
    turn = draw.uniform(-1.2, 1.2, batch, count)
    moving = draw.chance(0.5, batch, count)
    moving[:, :standing] = False
    return rectangles(
        draw,
        textures,
        vectors(x, half[:, 1:2] - tall, z, x),
        vectors(wide * turn.cos(), 0.0, wide * turn.sin(), x),
        vectors(0.0, -tall, 0.0, x),
        moving=moving,
    )


def crate(draw: Draw, textures: int, center: Tensor, half: Tensor) -> Scene:
    """Boxes (B, N, 3) without their undersides, turned about the vertical."""
    axes = rotation_y(draw.uniform(0, math.pi, *center.shape[:2]))
    return rectangles(draw, textures, *box_faces(center, half, axes, 5))


def _half_size(
    draw: Draw, batch: int, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]
) -> Tensor:
    return torch.stack([draw.log_uniform(*bounds, batch) for bounds in (x, y, z)], dim=1)


def _walls(draw: Draw, textures: int, half: Tensor) -> Scene:
    """Six faces of a room, in the order of `box_faces`."""
    faces = box_faces(torch.zeros_like(half)[:, None], half[:, None], torch.eye(3, device=draw.device), 6)
    return rectangles(draw, textures, *faces)


def _with(scene: Scene, part: slice, texture: Tensor, repeats: Tensor) -> Scene:
    """The scene with another look of some of its rectangles."""
    looks = {"texture": scene.texture.clone(), "repeats_per_meter": scene.repeats_per_meter.clone()}
    looks["texture"][:, part], looks["repeats_per_meter"][:, part] = texture, repeats
    return Scene(**{**vars(scene), **looks})


def _indoors(scene: Scene, half: Tensor) -> Place:
    limit = (half - 0.35).clamp(min=0.15)
    low = -limit
    return Place(scene, low, limit.clone(), torch.zeros_like(half[:, 0]))
