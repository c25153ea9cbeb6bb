"""Image pairs related by a homography: a planar picture on a wall, seen by two cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import Scene, render
from loftr_ros.training.data.scenes import ViewPair, random_cameras, rotation
from loftr_ros.training.data.textures import TextureAtlas

BEHIND = 1.001  # meters from the origin to the wall; the picture hangs at one meter
WALL = 30.0  # meters, half its size


@dataclass(frozen=True)
class Homographies:
    """Textures seen frontally, and with random viewing angle, distance and roll."""

    atlas: TextureAtlas

    def draw(self, draw: Draw, batch: int, size: tuple[int, int], difficulty: float = 1.0) -> ViewPair:
        """Render two views of a plane: a homography with exact depth, so that it needs no special supervision."""
        del difficulty  # always the same
        K = random_cameras(draw, batch, size)
        scene = _picture_on_wall(draw, self.atlas.count, K, size)
        T_world_a = _in_front(draw, batch, tilt=15, roll=10, nearest=0.8, farthest=1.1)
        T_world_b = _in_front(draw, batch, tilt=40, roll=40, nearest=0.6, farthest=1.6)
        a, b = (render(scene, self.atlas, K, pose, size) for pose in (T_world_a, T_world_b))
        return ViewPair(a, b, K, torch.linalg.inv(T_world_b) @ T_world_a)


def _picture_on_wall(draw: Draw, textures: int, K: Tensor, size: tuple[int, int]) -> Scene:
    """One picture that fills the image at one meter, and a wall just behind it, practically in the same plane."""
    batch, device = len(K), draw.device
    half_width, half_height = size[1] / 2 / K[:, 0, 0], size[0] / 2 / K[:, 1, 1]
    wall = torch.full_like(half_width, WALL)
    x, y, _ = torch.eye(3, device=device)
    longest = torch.maximum(half_width, half_height)[:, None]
    return Scene(
        center=torch.tensor([[0, 0, 1.0], [0, 0, BEHIND]], device=device).repeat(batch, 1, 1),
        right=torch.stack([half_width, wall], dim=1)[..., None] * x,
        up=torch.stack([half_height, wall], dim=1)[..., None] * -y,
        texture=draw.integers(textures, batch, 2),
        repeats_per_meter=draw.log_uniform(0.5, 2, batch, 2) / (2 * longest),
        contrast=draw.log_uniform(0.3, 1.2, batch, 2),
        shade=draw.uniform(0.25, 0.75, batch, 2),
        moving=torch.zeros(batch, 2, dtype=torch.bool, device=device),
    )


def _in_front(draw: Draw, batch: int, tilt: float, roll: float, nearest: float, farthest: float) -> Tensor:
    """Random cameras that look at the picture: T_world_camera (B, 4, 4).

    Args:
        draw: random generator.
        batch: B.
        tilt, roll: maximum angles between optical axis and normal, and about the optical axis, degrees.
        nearest, farthest: bounds of the distance, meters.
    """
    flat = torch.tensor([1.0, 1.0, 0.0], device=draw.device)
    axis = torch.nn.functional.normalize(draw.direction(batch) * flat, dim=1)
    angle = math.radians(tilt) * draw.uniform(0, 1, batch, 1)
    roll_vector = math.radians(roll) * draw.uniform(-1, 1, batch, 1) * (1 - flat)
    pose = torch.eye(4, device=draw.device).repeat(batch, 1, 1)
    pose[:, :3, :3] = rotation(axis * angle) @ rotation(roll_vector)
    target = draw.uniform(-0.15, 0.15, batch, 3) * flat + (1 - flat)
    pose[:, :3, 3] = target - draw.log_uniform(nearest, farthest, batch, 1) * pose[:, :3, 2]
    return pose
