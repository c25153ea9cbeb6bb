"""Streets with facades, cars, poles and trees; open ground seen at grazing angles."""

from __future__ import annotations

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import Scene
from loftr_ros.training.data.world.indoors import crate, person
from loftr_ros.training.data.world.place import Place, joined, rectangles, vectors

HOUSES = 3  # on each side of a street
TREES = 3
CARS = 2
ROCKS = 2
FAR = 1000.0  # meters, half the size of ground and sky


def street(draw: Draw, textures: int, batch: int) -> Place:
    """Houses in two rows, alike in one street of three, with trees, poles, cars and people before them."""
    eye = draw.log_uniform(0.5, 2.5, batch, 1)  # of the camera above the ground
    wide = draw.log_uniform(3, 9, batch, 1)
    depth = draw.log_uniform(5, 14, batch, 1)
    half = torch.cat([wide, eye, HOUSES * depth], dim=1)
    houses = _houses(draw, textures, wide, eye, depth)
    cars = _cars(draw, textures, wide, eye, depth)
    parts = [_ground(draw, textures, eye), _sky(draw, textures, eye), houses, _trees(draw, textures, half), cars]
    return _outdoors(joined(parts), half)


def _houses(draw: Draw, textures: int, wide: Tensor, eye: Tensor, depth: Tensor) -> Scene:
    """Fronts along the street, and the ends of the houses that face the camera where fronts stand back."""
    batch = len(wide)
    sign = torch.tensor([1.0] * HOUSES + [-1.0] * HOUSES, device=draw.device)
    number = torch.arange(HOUSES, device=draw.device).repeat(2)
    back = wide * (1 + draw.uniform(0, 0.4, batch, 2 * HOUSES) * draw.chance(0.6, batch, 1))
    tall = draw.log_uniform(3, 15, batch, 2 * HOUSES)
    long = depth / 2 * draw.uniform(0.7, 1, batch, 2 * HOUSES)
    z = depth * (2 * number - HOUSES + 1 + draw.uniform(-0.3, 0.3, batch, 2 * HOUSES))
    alike = draw.chance(0.33, batch, 1)
    looks = torch.where(alike, draw.integers(textures, batch, 1), draw.integers(textures, batch, 2 * HOUSES))
    stories = 1 / torch.where(alike, draw.uniform(2.5, 6, batch, 1), draw.log_uniform(2.5, 12, batch, 2 * HOUSES))
    fronts = rectangles(
        draw,
        textures,
        vectors(sign * back, eye - tall / 2, z, z),
        vectors(0.0, 0.0, long * 1.4, z),
        vectors(0.0, -tall / 2, 0.0, z),
        texture=looks,
        repeats=stories,
    )
    ends = rectangles(
        draw,
        textures,
        vectors(sign * (back + 4), eye - tall / 2, z - long * 1.4, z),
        vectors(4.0, 0.0, 0.0, z),
        vectors(0.0, -tall / 2, 0.0, z),
    )
    return joined([fronts, ends])


def _trees(draw: Draw, textures: int, half: Tensor) -> Scene:
    """Thin trunks or poles, and a crown on each."""
    batch = len(half)
    side = torch.where(draw.chance(0.5, batch, TREES), 1.0, -1.0)
    x = side * half[:, :1] * draw.uniform(0.35, 0.95, batch, TREES)
    z = half[:, 2:] * draw.uniform(-0.6, 0.9, batch, TREES)
    tall, thin = draw.uniform(1, 4, batch, TREES), draw.log_uniform(0.02, 0.25, batch, TREES)
    turn = draw.uniform(-0.8, 0.8, batch, TREES)
    trunks = rectangles(
        draw,
        textures,
        vectors(x, half[:, 1:2] - tall, z, x),
        vectors(thin * turn.cos(), 0.0, thin * turn.sin(), x),
        vectors(0.0, -tall, 0.0, x),
    )
    size = draw.log_uniform(0.15, 1.5, batch, TREES)  # from a sign to a crown
    crowns = rectangles(
        draw,
        textures,
        vectors(x, half[:, 1:2] - 2 * tall, z - 0.02, x),
        vectors(size * turn.cos(), 0.0, size * turn.sin(), x),
        vectors(0.0, -size, 0.0, x),
    )
    return joined([trunks, crowns])


def _cars(draw: Draw, textures: int, wide: Tensor, eye: Tensor, depth: Tensor) -> Scene:
    """Sides of cars, parked or on their way."""
    batch = len(wide)
    x = wide * draw.uniform(-0.8, 0.8, batch, CARS)
    z = depth * draw.uniform(-1.5, 2, batch, CARS)
    along = draw.chance(0.6, batch, CARS)[..., None]
    long, tall = draw.uniform(0.8, 2.2, batch, CARS), draw.uniform(0.5, 1, batch, CARS)
    right = torch.where(along, vectors(0.0, 0.0, long, x), vectors(long * 0.5, 0.0, 0.0, x))
    moving = draw.chance(0.5, batch, CARS)
    up = vectors(0.0, -tall, 0.0, x)
    return rectangles(draw, textures, vectors(x, eye - tall, z, x), right, up, moving=moving)


def field(draw: Draw, textures: int, batch: int) -> Place:
    """Open ground near the camera, with blocks, trees and somebody on it, and a wall or wood far behind."""
    eye = draw.log_uniform(0.15, 3, batch, 1)
    size = draw.log_uniform(3, 15, batch, 1)
    half = torch.cat([size, eye, 2 * size], dim=1)
    rock = eye[..., None] * draw.log_uniform(0.1, 0.8, batch, ROCKS, 3)
    where = half[:, None] * draw.uniform(-0.7, 0.7, batch, ROCKS, 3)
    where[..., 1] = half[:, 1:2] - rock[..., 1]
    tall = draw.log_uniform(1, 8, batch, 1)
    behind = rectangles(
        draw,
        textures,
        vectors(0.0, eye - tall, 2.2 * size, size),
        vectors(3 * size, 0.0, 0.0, size),
        vectors(0.0, -tall, 0.0, size),
    )
    parts = [_ground(draw, textures, eye), _sky(draw, textures, eye), behind, crate(draw, textures, where, rock)]
    place = _outdoors(joined([*parts, _trees(draw, textures, half), person(draw, textures, half, 3)]), half)
    return Place(place.scene, place.low, place.high, place.pitch + draw.uniform(0, 0.5, batch))


def _ground(draw: Draw, textures: int, eye: Tensor) -> Scene:
    return rectangles(
        draw,
        textures,
        vectors(0.0, eye, 0.0, eye),
        vectors(FAR, 0.0, 0.0, eye),
        vectors(0.0, 0.0, FAR, eye),
        repeats=1 / draw.log_uniform(0.5, 8, len(eye), 1),
    )


def _sky(draw: Draw, textures: int, eye: Tensor) -> Scene:
    """A bright ceiling over everything, whose clouds move: seen, but never matched."""
    return rectangles(
        draw,
        textures,
        vectors(0.0, -0.1 * FAR, 0.0, eye),
        vectors(10 * FAR, 0.0, 0.0, eye),
        vectors(0.0, 0.0, 10 * FAR, eye),
        repeats=1 / draw.log_uniform(20, 200, len(eye), 1),
        contrast=(0.05, 0.4),
        moving=torch.ones_like(eye, dtype=torch.bool),
    )


def _outdoors(scene: Scene, half: Tensor) -> Place:
    """Cameras are between the houses, less than their own height above or below that of the eye."""
    limit = torch.stack([0.7 * half[:, 0], 0.3 * half[:, 1], 0.8 * half[:, 2]], dim=1)
    return Place(scene, -limit, limit, torch.zeros_like(half[:, 0]))
