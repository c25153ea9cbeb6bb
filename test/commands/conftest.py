"""A stand-in for LoFTR, and a rendered sequence whose motion is known."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from loftr_ros.loftr.runtime.budget import DEFAULT_BUDGET, ComputeBudget
from loftr_ros.matches import Matches

FOCAL, BASELINE, STEP = 200.0, 0.3, 0.08  # pixels, meters, meters a frame
NEAR, FAR = 2.5, 5.0  # meters


class LucasKanadeMatcher:
    """Tracks the centers of 8x8 cells of image a by optical flow: real matches without a network."""

    checkpoint = "lucas-kanade"
    device = "cpu"
    budget = DEFAULT_BUDGET
    precision = "auto"

    def extract(self, image: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        return image if mask is None else np.where(mask > 0, image, 0).astype(np.uint8)

    def match(self, features_a: NDArray[np.uint8], features_b: NDArray[np.uint8]) -> Matches:
        height, width = features_a.shape
        v, u = np.mgrid[4:height:8, 4:width:8]
        points = np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float32)
        flow = {"winSize": (15, 15), "maxLevel": 3}
        there, found, _ = cv2.calcOpticalFlowPyrLK(features_a, features_b, points[:, None], None, **flow)
        back, found_back, _ = cv2.calcOpticalFlowPyrLK(features_b, features_a, there, None, **flow)
        returned = np.linalg.norm(back[:, 0] - points, axis=1) < 0.3
        good = returned & (found.ravel() == 1) & (found_back.ravel() == 1)
        matches = Matches(points, there[:, 0], np.ones(len(points), np.float32), np.arange(len(points))).select(good)
        return matches.select(np.arange(len(matches))[: self.budget.max_matches or None])


@pytest.fixture
def matcher(monkeypatch: pytest.MonkeyPatch) -> LucasKanadeMatcher:
    """Take the place of LoFTR in this process."""
    stand_in = LucasKanadeMatcher()

    def load(checkpoint: str, device: str, budget: ComputeBudget, precision: str) -> LucasKanadeMatcher:
        stand_in.budget, stand_in.precision = budget, precision
        return stand_in

    monkeypatch.setattr("loftr_ros.loftr.runtime.matcher.load_matcher", load)
    return stand_in


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Weights that fit the compact network and know nothing."""
    from loftr_ros.loftr.network.config import preset
    from loftr_ros.loftr.network.model import LoFTR
    from loftr_ros.loftr.weights.checkpoints import save_model

    path = tmp_path / "random.safetensors"
    save_model(path, LoFTR(preset("compact")))
    return path


@pytest.fixture
def sideways(tmp_path: Path, texture: NDArray[np.uint8]) -> Path:
    """Six stereo pairs, in KITTI's layout, of a camera that moves to the right past two textured walls."""
    return write_sideways(tmp_path, texture, 6)


@pytest.fixture
def long_way(tmp_path: Path, texture: NDArray[np.uint8]) -> Path:
    """As `sideways`, four times as far."""
    return write_sideways(tmp_path, texture, 24)


def write_sideways(root: Path, texture: NDArray[np.uint8], frames: int) -> Path:
    folder = root / "sequences" / "00"
    wall = np.tile(texture, (1, 3))
    for i in range(frames):
        for camera in range(2):
            path = folder / f"image_{camera}" / f"{i:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), _view(wall, STEP * i + BASELINE * camera))
    rows = (f"P{c}: {FOCAL} 0 159.5 {-FOCAL * BASELINE * c} 0 {FOCAL} 99.5 0 0 0 1 0\n" for c in range(2))
    (folder / "calib.txt").write_text("".join(rows))
    (folder / "times.txt").write_text("".join(f"{0.1 * i}\n" for i in range(frames)))
    (root / "poses").mkdir()
    poses = (f"1 0 0 {STEP * i} 0 1 0 0 0 0 1 0\n" for i in range(frames))
    (root / "poses" / "00.txt").write_text("".join(poses))
    return folder


@pytest.fixture
def sideways_rgbd(sideways: Path, tmp_path: Path) -> Path:
    """The left images of `sideways` with depth images, in the layout of the TUM RGB-D benchmark."""
    folder = tmp_path / "rgbd"
    (folder / "rgb").mkdir(parents=True)
    (folder / "depth").mkdir()
    depth = np.full((200, 320), 1000 * FAR, np.uint16)
    depth[100:] = 1000 * NEAR
    for i in range(6):
        (folder / "rgb" / f"{i}.png").write_bytes((sideways / "image_0" / f"{i:06d}.png").read_bytes())
        cv2.imwrite(str(folder / "depth" / f"{i}.png"), depth)
    for name in ("rgb", "depth"):
        (folder / f"{name}.txt").write_text("".join(f"{0.1 * i:.1f} {name}/{i}.png\n" for i in range(6)))
    (folder / "groundtruth.txt").write_text("".join(f"{0.1 * i:.1f} {STEP * i} 0 0 0 0 0 1\n" for i in range(6)))
    (folder / "depth_scale.txt").write_text("1000\n")
    K, P = [FOCAL, 0, 159.5, 0, FOCAL, 99.5, 0, 0, 1], [FOCAL, 0, 159.5, 0, 0, FOCAL, 99.5, 0, 0, 0, 1, 0]
    calibration = {
        "image_width": 320,
        "image_height": 200,
        "camera_matrix": {"data": K},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"data": [0.0] * 5},
        "rectification_matrix": {"data": np.eye(3).ravel().tolist()},
        "projection_matrix": {"data": P},
    }
    (folder / "camera.yaml").write_text(yaml.safe_dump(calibration))
    return folder


def _view(wall: NDArray[np.uint8], x: float) -> NDArray[np.uint8]:
    """See, from x meters to the right, a far wall above and a near one below."""
    view: Callable[[float], NDArray[np.uint8]] = lambda depth: _shifted(wall, FOCAL * x / depth)  # noqa: E731
    return np.vstack([view(FAR)[:100], view(NEAR)[100:]])


def _shifted(image: NDArray[np.uint8], pixels: float) -> NDArray[np.uint8]:
    move = np.array([[1.0, 0, -pixels - 100], [0, 1, 0]])
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    return np.asarray(cv2.warpAffine(smooth, move, (320, 200), flags=cv2.INTER_CUBIC), np.uint8)


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out trajectory.png, which takes a second, where a test is about something else."""
    monkeypatch.setattr("loftr_ros.reports.run_log.plot_trajectory", lambda *arguments: None)
