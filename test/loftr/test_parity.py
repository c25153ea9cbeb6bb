"""The published architecture against kornia's LoFTR: the same random weights must give the same matches."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.loftr.network.config import LoFTRConfig, preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.runtime.matcher import LoftrMatcher
from loftr_ros.loftr.weights.checkpoints import load_model

kornia_loftr = pytest.importorskip("kornia.feature.loftr.loftr", reason="kornia is needed for parity")

Points = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]  # points_a, points_b, confidence


@dataclass(frozen=True)
class Twins:
    """Two implementations with one state dict."""

    theirs: torch.nn.Module
    ours: LoFTR

    def reference(self, a: Tensor, b: Tensor) -> Points:
        with torch.inference_mode():
            out = self.theirs({"image0": a, "image1": b})
        return out["keypoints0"].numpy(), out["keypoints1"].numpy(), out["confidence"].numpy()

    def ours_at(self, a: Tensor, b: Tensor) -> Points:
        with torch.inference_mode():
            out = self.ours(a, b)
        return out.points_a.numpy(), out.points_b.numpy(), out.coarse.confidence.numpy()


@pytest.fixture(scope="module")
def twins() -> Callable[[str], Twins]:
    made: dict[str, Twins] = {}

    def make(name: str) -> Twins:
        if name not in made:
            settings = copy.deepcopy(kornia_loftr.default_cfg)
            settings["coarse"]["temp_bug_fix"] = name == "indoor"
            settings["match_coarse"]["thr"] = 0.0
            torch.manual_seed(0)
            theirs = kornia_loftr.LoFTR(pretrained=None, config=settings).eval()
            _tell_places_apart(theirs)
            ours = LoFTR(_without_threshold(name)).eval()
            ours.load_state_dict(theirs.state_dict(), strict=True)
            made[name] = Twins(theirs, ours)
        return made[name]

    return make


def _without_threshold(name: str) -> LoFTRConfig:
    config = preset(name)
    return replace(config, matching=replace(config.matching, threshold=0.0))


def _tell_places_apart(loftr: torch.nn.Module) -> None:
    """Let random features depend more on content than on position, so that many places match."""
    with torch.no_grad():
        loftr.backbone.layer3_outconv.weight *= 3
        loftr.backbone.layer1_outconv2[3].weight *= 10


def _texture(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width))
    for size in (4, 10, 40):
        blocks = rng.random((-(-height // size), -(-width // size)))
        image += np.kron(blocks, np.ones((size, size)))[:height, :width]
    return np.asarray(255 * image / image.max(), np.uint8)


def _pair(height: int, width: int) -> tuple[Tensor, Tensor]:
    a = torch.from_numpy(_texture(height, width, 5))[None, None] / 255
    return a, torch.roll(a, (8, 16), (2, 3))


def assert_same_matches(ours: Points, reference: Points, least: int) -> None:
    """Compare match by match; a few of thousands of candidates may be numerically tied."""
    rows = {tuple(np.round(a, 3)): (b, c) for a, b, c in zip(*ours, strict=True)}
    expected = {tuple(np.round(a, 3)): (b, c) for a, b, c in zip(*reference, strict=True)}
    common = sorted(rows.keys() & expected.keys())
    assert len(expected) >= least
    assert len(common) >= 0.99 * max(len(rows), len(expected))
    distance = np.array([np.abs(rows[key][0] - expected[key][0]).max() for key in common])
    confidence = np.array([abs(rows[key][1] / expected[key][1] - 1) for key in common])
    assert np.mean(distance < 3e-3) >= 0.99
    assert np.mean(confidence < 1e-2) >= 0.99


@pytest.mark.parametrize(
    ("name", "size", "least"),
    [
        pytest.param("outdoor", (240, 384), 200, marks=pytest.mark.slow),
        ("indoor", (192, 320), 200),
        ("outdoor", (256, 136), 100),
    ],
)
def test_same_matches_as_kornia(twins: Callable[[str], Twins], name: str, size: tuple[int, int], least: int) -> None:
    pair = _pair(*size)
    assert_same_matches(twins(name).ours_at(*pair), twins(name).reference(*pair), least)


def test_odd_size_through_the_matcher(twins: Callable[[str], Twins]) -> None:
    """Kornia sees what our network sees; our points are then those of the original image, axis by axis."""
    height, width = 221, 309
    image_a = _texture(height, width, 1)
    image_b = np.roll(image_a, (5, 9), (0, 1))
    matcher = LoftrMatcher(twins("indoor").ours, torch.device("cpu"), "twin", precision="float32")
    found = matcher.match(matcher.extract(image_a), matcher.extract(image_b))

    resized = [
        F.interpolate(torch.from_numpy(image)[None, None] / 255, (224, 312), mode="bilinear", antialias=True)
        for image in (image_a, image_b)
    ]
    points_a, points_b, confidence = twins("indoor").reference(*resized)
    scale = np.array([width / 312, height / 224], np.float32)
    # Half a pixel less: the authors' coordinates call the corner of the image (0, 0), ours the first pixel's center.
    expected = (points_a * scale - 0.5, points_b * scale - 0.5, confidence)
    assert_same_matches((found.points_a, found.points_b, found.confidence), expected, least=100)


def test_published_file(twins: Callable[[str], Twins], tmp_path: Path) -> None:
    """The authors' files keep the weights under `state_dict`, with a prefix to every name."""
    theirs = twins("outdoor").theirs.state_dict()
    path = tmp_path / "outdoor_ds.ckpt"
    torch.save({"state_dict": {f"matcher.{key}": value for key, value in theirs.items()}, "epoch": 29}, path)
    model = load_model(str(path))
    assert model.config == preset("outdoor")
    assert not model.training
    assert model.state_dict().keys() == theirs.keys()
    assert all(torch.equal(value, theirs[key]) for key, value in model.state_dict().items())
