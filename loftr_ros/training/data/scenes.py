"""Random rooms and random view pairs: the distribution of rendered training data."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import Scene, View, render
from loftr_ros.training.data.textures import TextureAtlas

BOXES, PANELS = 2, 5  # furniture (five faces each) and free rectangles per room
MARGIN = 0.3  # minimum distance of a camera from the walls, meters


@dataclass(frozen=True)
class ViewPair:
    """B pairs of views a and b of one scene each.

    Attributes:
        a, b: images and depths.
        K: (B, 3, 3) camera matrix of a.
        T_b_a: (B, 4, 4), transforms points from camera a to camera b.
        K_b: (B, 3, 3) camera matrix of b; None if equal to K.
    """

    a: View
    b: View
    K: Tensor
    T_b_a: Tensor
    K_b: Tensor | None = None

    @property
    def geometry(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Geometry that determines the ground truth: the arguments of `loftr_ros.training.supervision.warp`."""
        return self.a.depth, self.b.depth, self.K, self.K if self.K_b is None else self.K_b, self.T_b_a


def random_pairs(draw: Draw, atlas: TextureAtlas, batch: int, size: tuple[int, int]) -> ViewPair:
    """Render a batch of pairs: rooms, corridors and street-sized boxes under hand-held, driving and stereo motion.

    In some of them, panels move between the views.
    """
    half_size = _room_sizes(draw, batch)
    scene = random_rooms(draw, atlas.count, half_size)
    K = random_cameras(draw, batch, size)
    T_world_a = _random_poses(draw, half_size)
    a = render(scene, atlas, K, T_world_a, size)
    T_world_b = _moved(draw, T_world_a, a.depth.flatten(1).median(dim=1).values, half_size)
    b = render(_with_moved_panels(draw, scene), atlas, K, T_world_b, size)
    return ViewPair(a, b, K, torch.linalg.inv(T_world_b) @ T_world_a)


def random_rooms(draw: Draw, textures: int, half_size: Tensor) -> Scene:
    """Fill rooms of half sizes (B, 3), meters (x right, y down, z along the room), with boxes and panels."""
    walls = box_faces(torch.zeros_like(half_size)[:, None], half_size[:, None], torch.eye(3, device=draw.device), 6)
    batch = len(half_size)
    place = half_size[:, None] * draw.uniform(-0.85, 0.85, batch, BOXES + PANELS, 3)
    extent = half_size.amin(1)[:, None, None] * draw.log_uniform(0.08, 0.5, batch, BOXES + PANELS, 3)
    # Furniture stands upright on the floor; panels are anywhere.
    place[:, :BOXES, 1] = half_size[:, None, 1] - extent[:, :BOXES, 1]
    boxes = box_faces(place[:, :BOXES], extent[:, :BOXES], rotation_y(draw.uniform(0, math.pi, batch, BOXES)), 5)
    R_panel = rotation(draw.direction(batch, PANELS) * draw.uniform(0, math.pi, batch, PANELS, 1))
    panels = (place[:, BOXES:], R_panel[..., 0] * extent[:, BOXES:, :1], R_panel[..., 1] * extent[:, BOXES:, 1:2])
    center, right, up = (torch.cat(parts, dim=1) for parts in zip(walls, boxes, panels, strict=True))

    count = center.shape[1]
    longest = torch.maximum(right.norm(dim=2), up.norm(dim=2))
    # From one photo over the whole surface to many repetitions; texels are at least a millimeter.
    repeats = (draw.log_uniform(0.7, 14, batch, count) / (2 * longest)).clamp(max=4.0)
    plain = draw.chance(0.3, batch, 1)  # low-texture rooms, such as white corridors
    contrast = torch.where(plain, draw.log_uniform(0.04, 0.5, batch, count), draw.log_uniform(0.3, 1.2, batch, count))
    return Scene(
        center=center,
        right=right,
        up=up,
        texture=draw.integers(textures, batch, count),
        repeats_per_meter=repeats,
        contrast=contrast,
        shade=draw.uniform(0.25, 0.75, batch, count),
        moving=_moving_panels(draw, batch, count),
    )


def _moving_panels(draw: Draw, batch: int, count: int) -> Tensor:
    """Which rectangles move, (B, Q) bool: half of the panels (the last ones) in 25 % of the rooms."""
    moving = torch.zeros(batch, count, dtype=torch.bool, device=draw.device)
    moving[:, -PANELS:] = draw.chance(0.5, batch, PANELS) & draw.chance(0.25, batch, 1)
    return moving


def _with_moved_panels(draw: Draw, scene: Scene) -> Scene:
    """Return the scene with moving rectangles displaced by up to their own size."""
    size = torch.maximum(scene.right.norm(dim=2), scene.up.norm(dim=2))
    step = draw.direction(*size.shape) * (size * draw.uniform(0.05, 1, *size.shape))[..., None]
    return replace(scene, center=scene.center + torch.where(scene.moving[..., None], step, 0.0))


def random_cameras(draw: Draw, batch: int, size: tuple[int, int]) -> Tensor:
    """Random camera matrices (B, 3, 3), from wide-angle to normal lenses."""
    height, width = size
    focal = draw.log_uniform(0.42, 1.1, batch) * max(width, 4 / 3 * height)
    K = torch.eye(3, device=draw.device).repeat(batch, 1, 1)
    K[:, 0, 0] = K[:, 1, 1] = focal
    K[:, 0, 2] = width / 2 - 0.5 + draw.uniform(-0.04, 0.04, batch) * width
    K[:, 1, 2] = height / 2 - 0.5 + draw.uniform(-0.04, 0.04, batch) * height
    return K


def _room_sizes(draw: Draw, batch: int) -> Tensor:
    """Half sizes (B, 3) of rooms and corridors, 25 % of them of the size of a street."""
    size = torch.stack(
        [draw.log_uniform(1.2, 5, batch), draw.log_uniform(1.1, 2.5, batch), draw.log_uniform(1.5, 15, batch)], dim=1
    )
    street = draw.chance(0.25, batch)[:, None]
    return size * torch.where(street, torch.tensor([4.0, 1.8, 3.0], device=draw.device), 1.0)


def _random_poses(draw: Draw, half_size: Tensor) -> Tensor:
    """Poses in the rooms (B, 4, 4), mostly upright, half of them looking along the room."""
    batch = len(half_size)
    along = draw.chance(0.5, batch)
    yaw = torch.where(along, draw.normal(batch) * 0.3, draw.uniform(-math.pi, math.pi, batch))
    tilt = draw.normal(batch, 3) * torch.tensor([0.2, 0.0, 0.12], device=draw.device)
    pose = torch.eye(4, device=draw.device).repeat(batch, 1, 1)
    pose[:, :3, :3] = rotation_y(yaw) @ rotation(tilt)
    pose[:, :3, 3] = half_size * draw.uniform(-0.8, 0.8, batch, 3)
    # Cameras that look along the room are near its front end.
    pose[:, 2, 3] = torch.where(along, -half_size[:, 2] * draw.uniform(0.2, 0.9, batch), pose[:, 2, 3])
    return pose


def _moved(draw: Draw, T_world_a: Tensor, depth: Tensor, half_size: Tensor) -> Tensor:
    """Second poses: hand-held motion, driving forward, the right camera of a stereo rig, or a wide baseline."""
    batch = len(depth)
    depth = depth.clamp(max=40.0)
    kind = draw.uniform(0, 1, batch)[:, None, None]
    small, wide = _small_motion(draw, depth, kind[:, 0, 0]), _wide_baseline(draw, depth)
    T_world_b = T_world_a @ torch.where(kind < 0.85, small, wide)
    limit = (half_size - MARGIN).clamp(min=0.1)
    T_world_b[:, :3, 3] = T_world_b[:, :3, 3].clamp(-limit, limit)
    return T_world_b


def _small_motion(draw: Draw, depth: Tensor, kind: Tensor) -> Tensor:
    """T_a_b (B, 4, 4) between video frames or of a stereo pair, scaled by the scene depth (B,), meters."""
    batch = len(depth)
    wander, drive = draw.direction(batch), draw.normal(batch, 3) * 0.15
    drive[:, 2] += 1.0
    sideways = torch.tensor([1.0, 0.0, 0.0], device=draw.device).expand(batch, 3)
    hand_held, driving = (kind < 0.45)[:, None], (kind < 0.75)[:, None]
    direction = torch.where(hand_held, wander, torch.where(driving, drive, sideways))
    # Up to the motion of 8 frames of a car or 10 of a drone; most are shorter.
    longest = torch.where(hand_held, 0.5, torch.where(driving, 0.8, 0.15))[:, 0]
    length = depth * draw.uniform(0, 1, batch) ** 1.5 * longest

    axis = draw.direction(batch) + torch.tensor([0.0, 1.0, 0.0], device=draw.device) * draw.chance(0.5, batch)[:, None]
    angle = math.radians(30) * draw.uniform(0, 1, batch) ** 2
    rotation_vector = torch.nn.functional.normalize(axis, dim=1) * angle[:, None]
    return _pose(rotation(torch.where(driving, rotation_vector, 0.0)), direction * length[:, None])


def _wide_baseline(draw: Draw, depth: Tensor) -> Tensor:
    """T_a_b (B, 4, 4) of wide baselines that look at the same point, at `depth` (B,) meters in front of a."""
    batch = len(depth)
    rotation_vector = draw.normal(batch, 3) * torch.tensor([0.15, 0.0, 0.3], device=draw.device)
    rotation_vector[:, 1] = math.radians(60) * draw.uniform(-1, 1, batch)
    R_a_b = rotation(rotation_vector)
    place = torch.zeros(batch, 3, device=draw.device)
    place[:, 2] = depth
    return _pose(R_a_b, place - depth[:, None] * draw.log_uniform(0.6, 1.6, batch, 1) * R_a_b[:, :, 2])


def _pose(R: Tensor, position: Tensor) -> Tensor:
    pose = torch.eye(4, device=R.device).repeat(len(R), 1, 1)
    pose[:, :3, :3], pose[:, :3, 3] = R, position
    return pose


def box_faces(center: Tensor, half: Tensor, axes: Tensor, faces: int) -> tuple[Tensor, Tensor, Tensor]:
    """Faces of N boxes: center, right and up vectors, each (B, N * faces, 3).

    Args:
        center, half: (B, N, 3) centers and half sizes.
        axes: (..., 3, 3), columns are the directions of the sides.
        faces: 6, or 5 to omit the bottom.
    """
    sides = axes.expand(*center.shape, 3) * half[..., None, :]  # columns are half edges
    x, y, z = sides.unbind(-1)
    parts = [(-y, x, z), (x, y, z), (-x, y, z), (z, x, y), (-z, x, y), (y, x, z)][:faces]
    centers, rights, ups = (torch.stack([part[i] for part in parts], dim=2) for i in range(3))
    return (centers + center[:, :, None]).flatten(1, 2), rights.flatten(1, 2), ups.flatten(1, 2)


def rotation(vector: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3), radians."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(skew)


def rotation_y(angle: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) about the y axis (down in the optical frame), radians."""
    zero = torch.zeros_like(angle)
    return rotation(torch.stack([zero, angle, zero], dim=-1))
