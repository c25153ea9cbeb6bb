"""Small scenes with known geometry."""

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import render
from loftr_ros.training.data.scenes import ViewPair, random_rooms, rotation_y
from loftr_ros.training.data.textures import TextureAtlas, pattern_atlas
from loftr_ros.training.supervision import warp


@pytest.fixture(autouse=True)
def single_thread(one_torch_thread: None) -> None:
    """In all tests of this folder."""


@pytest.fixture
def draw() -> Draw:
    return Draw(5, torch.device("cpu"))


@pytest.fixture(scope="session")
def patterns() -> TextureAtlas:
    """Four made textures."""
    return pattern_atlas(Draw(0, torch.device("cpu")), 4)


@pytest.fixture
def camera() -> torch.Tensor:
    """(1, 3, 3) camera matrix of 96 x 64 images."""
    return torch.tensor([[[80.0, 0, 47.5], [0, 80.0, 31.5], [0, 0, 1]]])


@pytest.fixture
def recorded_room(tmp_path: Path, patterns: TextureAtlas) -> Path:
    """A sequence in TUM layout, rendered: eight frames of 80 x 64 pixels, the camera moving to the right and turning.

    The true poses are at other times than the images, and start before and end after them.
    """
    folder = tmp_path / "room"
    (folder / "rgb").mkdir(parents=True)
    (folder / "depth").mkdir()
    scene = random_rooms(Draw(2, torch.device("cpu")), patterns.count, torch.tensor([[2.0, 1.5, 3.0]]))
    K = torch.tensor([[[70.0, 0, 39.5], [0, 70.0, 31.5], [0, 0, 1]]])
    listing, depths, truth = [], [], []
    for i in range(-1, 17):
        seconds = 0.05 * i + 0.025 * (i % 2)
        angle, x = 0.1 * seconds, 0.5 * seconds
        truth.append(f"{seconds:.3f} {x} 0 0 0 {math.sin(angle / 2)} 0 {math.cos(angle / 2)}")
    for i in range(8):
        seconds = 0.1 * i
        pose = torch.eye(4)[None]
        pose[0, :3, :3] = rotation_y(torch.tensor(0.1 * seconds))
        pose[0, 0, 3] = 0.5 * seconds
        view = render(scene, patterns, K, pose, (64, 80))
        image = (view.image[0, 0] * 255).round().to(torch.uint8).numpy()
        assert cv2.imwrite(str(folder / "rgb" / f"{i}.png"), image)
        depth = (view.depth[0].nan_to_num(posinf=0) * 5000).round().numpy().astype(np.uint16)
        assert cv2.imwrite(str(folder / "depth" / f"{i}.png"), depth)
        listing.append(f"{seconds:.3f} rgb/{i}.png")
        depths.append(f"{seconds + 0.004:.3f} depth/{i}.png")
    for name, lines in (("rgb", listing), ("depth", depths), ("groundtruth", truth)):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    (folder / "camera.yaml").write_text(
        "{image_width: 80, image_height: 64, distortion_model: plumb_bob, distortion_coefficients: [0, 0, 0, 0, 0],\n"
        " camera_matrix: [70, 0, 39.5, 0, 70, 31.5, 0, 0, 1]}\n"
    )
    return folder


@pytest.fixture
def unexplained() -> Callable[[ViewPair], float]:
    """Fraction of the gray values of a, warped to b by the ground truth, that differ there."""

    def measure(pairs: ViewPair) -> float:
        pixels, valid = warp(*pairs.geometry)
        height, width = pairs.a.depth.shape[1:]
        assert valid.float().mean() > 0.2
        gray_a = pairs.a.image[:, 0, ::8, ::8].flatten(1)
        scaled = (pixels + 0.5) / torch.tensor([width, height]) * 2 - 1
        gray_b = torch.nn.functional.grid_sample(
            pairs.b.image, scaled[:, :, None], mode="bilinear", padding_mode="border", align_corners=False
        )[:, 0, :, 0]
        chance = (gray_a[valid] - gray_a[valid].roll(7)).abs().median()
        return float((gray_a - gray_b)[valid].abs().median() / chance)

    return measure
