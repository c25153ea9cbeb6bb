"""The modules of bench/, and a data folder in which everything is rendered."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from loftr_ros.demo.room import make_room
from loftr_ros.odometry.geometry import se3
from loftr_ros.training.data.rendering import render

WIDTH, HEIGHT = 256, 192
K = np.array([[170.0, 0, WIDTH / 2 - 0.5], [0, 170.0, HEIGHT / 2 - 0.5], [0, 0, 1]])
START = se3.transform(se3.exp_rotation([0.0, 0.6, 0.0]), [2.2, 0.0, 0.0])
STEP = se3.transform(se3.exp_rotation([0.01, -0.03, 0.005]), [0.1, -0.03, 0.15])  # T_a_b of consecutive frames
BASELINE = 0.2  # meters
H_B_A = np.array([[1.05, 0.04, 3.0], [-0.02, 0.98, 5.0], [1e-4, -5e-5, 1.0]])


@pytest.fixture
def step() -> NDArray[np.float64]:
    """T_a_b of consecutive rendered images."""
    return STEP


@pytest.fixture(scope="session")
def rendered_pairs() -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Five images of a camera that moves by STEP, and of one to the right of it."""
    room, camera = make_room(), torch.from_numpy(K).float()[None]

    def view(T_world_camera: NDArray[np.float64]) -> NDArray[np.uint8]:
        pose = torch.from_numpy(T_world_camera).float()[None]
        image = render(room.scene, room.atlas, camera, pose, (HEIGHT, WIDTH)).image[0, 0].numpy()
        return np.asarray(255 * image, np.uint8)

    poses = [START @ np.linalg.matrix_power(STEP, i) for i in range(5)]
    to_the_right = se3.transform(np.eye(3), [BASELINE, 0.0, 0.0])
    return [(view(pose), view(pose @ to_the_right)) for pose in poses]


@pytest.fixture
def data(
    tmp_path: Path,
    rendered_pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    texture: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A data folder with KITTI 06, ScanNet's pairs and graf; LOFTR_ROS_DATA names it."""
    root = tmp_path / "data"
    _write_kitti(root / "kitti", rendered_pairs)
    scannet = root / "pairs" / "scannet15_superglue"
    pair = {"K0": K.tolist(), "K1": K.tolist(), "T_0to1": se3.inverse(STEP).tolist()}
    _write_pairs(scannet, [left for left, _ in rendered_pairs[:2]], pair)
    size = (texture.shape[1], texture.shape[0])
    _write_pairs(
        root / "pairs" / "graf", [texture, cv2.warpPerspective(texture, H_B_A, size)], {"H_1to2": H_B_A.tolist()}
    )
    monkeypatch.setenv("LOFTR_ROS_DATA", str(root))
    return root


def _write_kitti(root: Path, pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> None:
    folder = root / "sequences" / "06"
    for camera in range(2):
        (folder / f"image_{camera}").mkdir(parents=True)
        for i, pair in enumerate(pairs):
            cv2.imwrite(str(folder / f"image_{camera}" / f"{i:06d}.png"), pair[camera])
    projections = [np.column_stack([K, [-K[0, 0] * x, 0.0, 0.0]]) for x in (0.0, BASELINE)]
    rows = (f"P{camera}: " + " ".join(map(str, P.ravel())) + "\n" for camera, P in enumerate(projections))
    (folder / "calib.txt").write_text("".join(rows))
    (folder / "times.txt").write_text("".join(f"{0.1 * i}\n" for i in range(len(pairs))))
    poses = [np.linalg.matrix_power(STEP, i)[:3].ravel() for i in range(len(pairs))]
    (root / "poses").mkdir()
    np.savetxt(root / "poses" / "06.txt", poses)


def _write_pairs(folder: Path, images: list[NDArray[np.uint8]], truth: dict[str, object]) -> None:
    (folder / "images").mkdir(parents=True)
    for name, image in zip("ab", images, strict=True):
        cv2.imwrite(str(folder / "images" / f"{name}.png"), image)
    (folder / "pairs.json").write_text(json.dumps([{"a": "a.png", "b": "b.png", **truth}]))
