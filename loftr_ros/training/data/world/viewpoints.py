"""Two cameras in a place: the second one is chosen for the overlap of the images."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.scenes import rotation, rotation_y
from loftr_ros.training.data.world.place import Place

CANDIDATES = 5  # second poses from which the one with the best overlap is taken
GRID = 16  # pixels between the points that overlap is measured at
EASY_OVERLAP, HARD_OVERLAP = (0.6, 0.95), (0.1, 0.95)
MOST_SCALE = 3.0  # ratio of the sizes in which a thing is seen


def first_poses(draw: Draw, place: Place) -> Tensor:
    """Cameras T_world_a (B, 4, 4), two in three of which look along the place, some to its sides."""
    batch = len(place.low)
    along = draw.chance(0.67, batch)
    yaw = torch.where(along, draw.normal(batch) * 0.3, draw.uniform(-math.pi, math.pi, batch))
    tilt = draw.normal(batch, 3) * torch.tensor([0.12, 0.0, 0.08], device=draw.device)
    tilt[:, 0] -= place.pitch
    share = draw.uniform(0, 1, batch, 3)
    share[:, 2] *= torch.where(along, 0.6, 1.0)  # looking along, from the near half
    return _pose(rotation_y(yaw) @ rotation(tilt), place.low + share * (place.high - place.low))


def second_poses(
    draw: Draw, place: Place, T_world_a: Tensor, depth_a: Tensor, K_a: Tensor, K_b: Tensor, difficulty: float
) -> Tensor:
    """Cameras T_world_b (B, 4, 4) whose overlap is near a random one; `difficulty` in [0, 1] lowers it."""
    batch = len(depth_a)
    low, high = (easy + (hard - easy) * difficulty for easy, hard in zip(EASY_OVERLAP, HARD_OVERLAP, strict=True))
    wanted = draw.uniform(low, high, batch)
    distance = depth_a.flatten(1).median(dim=1).values.clamp(0.3, 30)
    roll = _rolls(draw, batch, difficulty)
    size = (depth_a.shape[1], depth_a.shape[2])
    points, known = _points(depth_a, K_a)
    best, error = T_world_a, torch.full_like(wanted, math.inf)
    for number in range(CANDIDATES):
        strength = (number + draw.uniform(0.2, 1, batch)) / CANDIDATES * (0.4 + 0.6 * difficulty)
        T_world_b = T_world_a @ _motion(draw, distance, strength, roll)
        T_world_b[:, :3, 3] = T_world_b[:, :3, 3].clamp(place.low, place.high)
        miss = (_overlap(points, known, K_b, torch.linalg.inv(T_world_b) @ T_world_a, size) - wanted).abs()
        better = miss < error
        best = torch.where(better[:, None, None], T_world_b, best)
        error = torch.where(better, miss, error)
    return best


def zoomed(draw: Draw, K: Tensor, difficulty: float) -> Tensor:
    """Camera matrices with another focal length for some pairs, more of them in hard ones."""
    batch = len(K)
    factor = draw.log_uniform(1 / 2, 2, batch)
    factor = torch.where(draw.chance(0.25 * difficulty, batch), factor, 1.0)
    K = K.clone()
    K[:, 0, 0] *= factor
    K[:, 1, 1] *= factor
    return K


def _rolls(draw: Draw, batch: int, difficulty: float) -> Tensor:
    """Angles about the optical axis: small for hand-held cameras and vehicles, anything for some drones."""
    any_angle = draw.chance(0.12 * difficulty, batch)
    return torch.where(any_angle, draw.uniform(-math.pi, math.pi, batch), 0.06 * draw.normal(batch))


def _motion(draw: Draw, distance: Tensor, strength: Tensor, roll: Tensor) -> Tensor:
    """T_a_b (B, 4, 4): forward or back, sideways, in any direction, turning, or around the central object."""
    batch = len(distance)
    kind = draw.uniform(0, 1, batch)
    sign = torch.where(draw.chance(0.75, batch), 1.0, -1.0)
    # As near as things become MOST_SCALE times as large; as far back as they become as much smaller.
    forward = torch.where(sign > 0, 1 - 1 / MOST_SCALE, MOST_SCALE - 1) * sign
    zero = torch.zeros_like(forward)
    drive = torch.stack([zero, zero, forward], dim=1) + 0.1 * draw.normal(batch, 3)
    side = torch.stack([1.2 * sign, zero, zero], dim=1) + 0.1 * draw.normal(batch, 3)
    wander = 0.7 * draw.direction(batch)
    turn = torch.zeros(batch, 3, device=draw.device)
    yaw = torch.where(draw.chance(0.5, batch), 1.0, -1.0)
    driving, sideways, around = kind < 0.35, (kind >= 0.35) & (kind < 0.55), kind >= 0.8
    turn[:, 1] = yaw * torch.where(driving | sideways, 0.25, torch.where(around, 1.3, 0.9)) * strength
    turn[:, 0] = 0.15 * draw.normal(batch) * strength
    R_a_b = rotation(turn)
    orbit = torch.stack([zero, zero, torch.ones_like(zero)], dim=1) - R_a_b[:, :, 2]
    step = torch.where(driving[:, None], drive, torch.where(sideways[:, None], side, wander)) * strength[:, None]
    step = torch.where(around[:, None], orbit + 0.1 * step, step) * distance[:, None]
    spin = torch.zeros_like(turn)
    spin[:, 2] = roll
    return _pose(R_a_b @ rotation(spin), step)


def _points(depth: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """Points of the camera frame on a coarse grid, (B, N, 3), and whether their depth is known."""
    y, x = (torch.arange(GRID // 2, side, GRID, device=K.device) for side in depth.shape[1:])
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    pixels = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1).reshape(-1, 3).to(K.dtype)
    z = depth[:, rows, columns].flatten(1)
    known = z.isfinite()
    return pixels @ torch.linalg.inv(K).transpose(1, 2) * torch.where(known, z, 0.0)[..., None], known


def _overlap(points: Tensor, known: Tensor, K_b: Tensor, T_b_a: Tensor, size: tuple[int, int]) -> Tensor:
    """Share of the points that lie inside image b, whatever may hide them."""
    projected = (points @ T_b_a[:, :3, :3].transpose(1, 2) + T_b_a[:, None, :3, 3]) @ K_b.transpose(1, 2)
    pixels = projected[..., :2] / projected[..., 2:].clamp(min=1e-6)
    limit = torch.tensor([size[1] - 1, size[0] - 1], device=pixels.device)
    inside = ((pixels >= 0) & (pixels <= limit)).all(dim=2) & (projected[..., 2] > 0) & known
    return inside.sum(1) / known.sum(1).clamp(min=1)


def _pose(R: Tensor, position: Tensor) -> Tensor:
    pose = torch.eye(4, device=R.device).repeat(len(R), 1, 1)
    pose[:, :3, :3], pose[:, :3, 3] = R, position
    return pose
