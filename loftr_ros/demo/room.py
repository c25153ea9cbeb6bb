"""A stereo camera on a closed loop in a textured room, rendered to a KITTI sequence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from loftr_ros.evaluation.trajectory import Trajectory, write_kitti
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import Scene, render
from loftr_ros.training.data.scenes import box_faces, rotation, rotation_y
from loftr_ros.training.data.textures import TextureAtlas, pattern_atlas

WIDTH, HEIGHT, FOCAL = 512, 384, 340.0  # pixels; field of view 74 degrees
BASELINE = 0.12  # meters
RATE = 10.0  # Hz of the stamps
HALF_ROOM = (4.0, 1.4, 5.0)  # meters: x right, y down, z along the room
LOOP = (2.2, 3.0)  # meters, half axes of the elliptic path around the furniture in the middle
NOISE = 0.01  # standard deviation of the gray values
SEED = 7


@dataclass(frozen=True)
class Room:
    """The scene and its textures."""

    scene: Scene
    atlas: TextureAtlas


def make_room() -> Room:
    """Make a room with furniture in the middle and cupboards in the corners, with procedural textures."""
    draw = Draw(SEED, torch.device("cpu"))
    walls = box_faces(torch.zeros(1, 1, 3), torch.tensor([[HALF_ROOM]]), torch.eye(3), 6)
    places = [(0.0, 0.6, 0.0), (-3.3, 0.2, -4.2), (3.3, 0.5, -4.0), (3.4, 0.0, 4.3), (-3.3, 0.7, 4.2)]
    halves = [(0.7, 0.8, 1.2), (0.5, 1.2, 0.5), (0.4, 0.9, 0.6), (0.4, 1.4, 0.5), (0.6, 0.7, 0.4)]
    turns = rotation_y(torch.tensor([[0.3, 0.1, -0.2, 0.4, 0.0]]))
    furniture = box_faces(torch.tensor([places]), torch.tensor([halves]), turns, 5)
    center, right, up = (torch.cat(parts, dim=1) for parts in zip(walls, furniture, strict=True))
    count = center.shape[1]
    atlas = pattern_atlas(draw, 2 * count)
    scene = Scene(
        center=center,
        right=right,
        up=up,
        texture=draw.integers(atlas.count, 1, count),
        repeats_per_meter=draw.uniform(0.4, 0.8, 1, count),
        contrast=draw.uniform(0.5, 1.0, 1, count),
        shade=draw.uniform(0.4, 0.6, 1, count),
        moving=torch.zeros(1, count, dtype=torch.bool),
    )
    return Room(scene, atlas)


def loop_poses(frames: int) -> Tensor:
    """T_world_camera (frames, 4, 4) of a closed loop, looking along the path with a slight sway."""
    angle = torch.linspace(0, 2 * math.pi, frames)
    position = torch.stack([LOOP[0] * angle.cos(), 0.1 * (2 * angle).sin(), LOOP[1] * angle.sin()], dim=1)
    along = torch.stack([-LOOP[0] * angle.sin(), LOOP[1] * angle.cos()], dim=1)
    sway = torch.stack([0.05 * (3 * angle).sin(), torch.zeros(frames), 0.04 * (2 * angle).sin()], dim=1)
    poses = torch.eye(4).repeat(frames, 1, 1)
    poses[:, :3, :3] = rotation_y(torch.atan2(along[:, 0], along[:, 1])) @ rotation(sway)
    poses[:, :3, 3] = position
    return poses


def write_sequence(root: Path, frames: int, progress: Callable[[], None], loop_frames: int | None = None) -> Path:
    """Render the loop and write it in KITTI layout with ground truth.

    Args:
        root: folder to create; the sequence goes to `root/sequences/00`.
        frames: number of poses.
        progress: called after each frame.
        loop_frames: number of poses of a full loop, of which the first `frames` are rendered; None: a full loop.

    Returns:
        The folder of the sequence.
    """
    folder = root / "sequences" / "00"
    for part in (folder / "image_0", folder / "image_1", root / "poses"):
        part.mkdir(parents=True, exist_ok=True)
    room, draw = make_room(), Draw(SEED, torch.device("cpu"))
    poses = loop_poses(loop_frames or frames)[:frames]
    offset = torch.eye(4)
    offset[0, 3] = BASELINE
    for index, pose in enumerate(poses):
        for side, T_world_camera in enumerate((pose, pose @ offset)):
            _write_view(folder / f"image_{side}" / f"{index:06d}.png", room, draw, T_world_camera)
        progress()
    _write_calibration(folder)
    stamps = np.arange(frames) / RATE
    (folder / "times.txt").write_text("".join(f"{stamp:.6e}\n" for stamp in stamps))
    truth = torch.linalg.inv(poses[0]) @ poses
    write_kitti(root / "poses" / "00.txt", Trajectory((stamps * 1e9).astype(np.int64), truth.double().numpy()))
    return folder


def _write_view(path: Path, room: Room, draw: Draw, T_world_camera: Tensor) -> None:
    view = render(room.scene, room.atlas, _camera_matrix()[None], T_world_camera[None], (HEIGHT, WIDTH))
    noisy = view.image[0, 0] + NOISE * draw.normal(HEIGHT, WIDTH)
    cv2.imwrite(str(path), (noisy.clamp(0, 1) * 255).round().to(torch.uint8).numpy())


def _camera_matrix() -> Tensor:
    return torch.tensor([[FOCAL, 0, WIDTH / 2 - 0.5], [0, FOCAL, HEIGHT / 2 - 0.5], [0, 0, 1]])


def _write_calibration(folder: Path) -> None:
    K = _camera_matrix().double().numpy()
    rows = []
    for camera, shift in enumerate((0.0, -FOCAL * BASELINE)):
        P = np.column_stack([K, [shift, 0, 0]])
        rows.append(f"P{camera}: " + " ".join(f"{value:.12e}" for value in P.ravel()))
    (folder / "calib.txt").write_text("\n".join(rows) + "\n")
