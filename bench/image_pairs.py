"""Images and image pairs for the speed benchmarks, rendered in the room of the demo at any size."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from loftr_ros.demo.room import loop_poses, make_room
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.training.data.rendering import render

FOCAL = 2 / 3  # relative to the width
SHIFT = (16, 8)  # pixels (x, y): whole coarse cells
NOISE = 2.5  # standard deviation of gray values in [0, 255]


def pinhole(width: int, height: int) -> Camera:
    """Return a pinhole camera with a field of view of 74 degrees."""
    K = np.array([[FOCAL * width, 0, width / 2 - 0.5], [0, FOCAL * width, height / 2 - 0.5], [0, 0, 1]])
    return Camera(width, height, K)


def room_views(camera: Camera, count: int, frames_of_the_loop: int) -> list[NDArray[np.uint8]]:
    """Render the first images of a camera on its loop through the room, (H, W) gray."""
    room, K = make_room(), torch.from_numpy(camera.K).float()[None]
    size = camera.height, camera.width
    views = (render(room.scene, room.atlas, K, pose[None], size) for pose in loop_poses(frames_of_the_loop)[:count])
    return [np.asarray(255 * view.image[0, 0].numpy(), np.uint8) for view in views]


def shifted_pair(width: int, height: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return two noisy crops of one view, `SHIFT` apart: similar enough to be matched with random weights."""
    (dx, dy), rng = SHIFT, np.random.default_rng(0)
    (view,) = room_views(pinhole(width + dx, height + dy), 1, 1)
    a, b = (part + NOISE * rng.standard_normal(part.shape) for part in (view[:height, :width], view[dy:, dx:]))
    return a.clip(0, 255).astype(np.uint8), b.clip(0, 255).astype(np.uint8)
