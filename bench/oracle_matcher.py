"""Rendered frames in the room of the demo, and an oracle that matches them by the known geometry."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from loftr_ros.demo.room import BASELINE, RATE, loop_poses, make_room
from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.training.data.rendering import render

CELL = 8  # pixels
NOISE_PX = 0.3
OUTLIERS = 0.1
ImageId = tuple[int, int]  # index of the frame, index of the camera


def room_frames(count: int, camera: Camera, loop: int = 200) -> tuple[list[Frame], NDArray[np.float64]]:
    """Render the first `count` of `loop` frames around the room, with right image and depth; return frames and poses.

    At 200 frames per loop the camera moves by 8 cm and 2 degrees per frame.

    The first two pixels of each image encode its `ImageId`, by which the oracle identifies it.
    """
    room, poses = make_room(), loop_poses(loop)[:count].double().numpy()
    K, rig = torch.from_numpy(camera.K).float()[None], StereoRig.rectified(camera, BASELINE)
    frames = []
    for index, pose in enumerate(poses):
        images = []
        for side, T_world_camera in enumerate((pose, pose @ rig.T_left_right)):
            T = torch.from_numpy(T_world_camera).float()[None]
            view = render(room.scene, room.atlas, K, T, (camera.height, camera.width))
            image = np.asarray(255 * view.image[0, 0].numpy(), np.uint8)
            image[0, :2] = index, side
            images.append((image, np.nan_to_num(view.depth[0].numpy(), posinf=0.0)))
        (left, depth), (right, _) = images
        frames.append(Frame(round(1e9 * index / RATE), left, camera, right, depth, rig))
    return frames, poses


class OracleMatcher:
    """Projects cells of image a into image b, with noise and outliers; results are cached."""

    def __init__(self, frames: list[Frame], poses: NDArray[np.float64], count: int) -> None:
        """Match `frames` at up to `count` cells, given their (N, 4, 4) T_world_camera."""
        self._frames, self._poses, self._count = frames, poses, count
        self._cache: dict[tuple[ImageId, ImageId], Matches] = {}

    def extract(self, image: NDArray[np.uint8]) -> ImageId:
        """Read the id of an image."""
        return int(image[0, 0]), int(image[0, 1])

    def match(self, features_a: ImageId, features_b: ImageId) -> Matches:
        """Match a left image with any other."""
        pair = features_a, features_b
        if pair not in self._cache:
            self._cache[pair] = self._project(*pair)
        return self._cache[pair]

    def _project(self, a: ImageId, b: ImageId) -> Matches:
        frame, rng = self._frames[a[0]], np.random.default_rng([*a, *b])
        camera, depth, rig = frame.camera, frame.depth, frame.rig
        assert depth is not None  # set in all rendered frames
        assert rig is not None
        y, x = np.mgrid[CELL // 2 : camera.height : CELL, CELL // 2 : camera.width : CELL].reshape(2, -1)
        rays = np.column_stack([camera.normalize(np.column_stack([x, y])), np.ones(len(x))])
        T_a_b = se3.inverse(self._poses[a[0]]) @ self._poses[b[0]] @ (rig.T_left_right if b[1] else np.eye(4))
        in_b = (rays * depth[y, x, None] - T_a_b[:3, 3]) @ T_a_b[:3, :3]
        before = np.flatnonzero((depth[y, x] > 0) & (in_b[:, 2] > 0.1))
        points = camera.project(in_b[before])
        inside = ((points >= 0) & (points < (camera.width, camera.height))).all(axis=1)
        # A fixed priority by cell: the same cells are matched in every image that shows them.
        priority = np.random.default_rng(a[0]).permutation(len(x))[before]
        shown = np.flatnonzero(inside)
        chosen = np.sort(shown[np.argsort(priority[shown])[: self._count]])
        points_b = points[chosen] + NOISE_PX * rng.standard_normal((len(chosen), 2))
        wrong = rng.random(len(chosen)) < OUTLIERS
        points_b[wrong] = rng.uniform((0, 0), (camera.width, camera.height), (wrong.sum(), 2))
        cells = before[chosen]
        points_a = np.column_stack([x, y])[cells]
        confidence = np.ones(len(cells), np.float32)
        return Matches(points_a.astype(np.float32), points_b.astype(np.float32), confidence, cells)
