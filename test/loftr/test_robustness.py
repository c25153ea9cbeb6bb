"""Numbers that float16 cannot hold, memory that is used up, and how much work is asked for."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from loftr_ros.loftr.network.config import MAX_PIXELS
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.loftr.runtime.device import MatcherError, OutOfMemory, limit_memory
from loftr_ros.loftr.runtime.inference import FastNetwork
from loftr_ros.loftr.runtime.matcher import MIN_SIDE, LoftrMatcher, load_matcher
from loftr_ros.loftr.weights.checkpoints import load_model
from loftr_ros.matches import Matches

Gray = NDArray[np.uint8]
CPU = torch.device("cpu")


def fast(model: LoFTR) -> LoftrMatcher:
    return LoftrMatcher(model, CPU, "some.ckpt", precision="float16")


def assert_same(found: Matches, expected: Matches) -> None:
    assert len(expected) > 20
    np.testing.assert_array_equal(found.cell_a, expected.cell_a)
    np.testing.assert_allclose(found.points_b, expected.points_b, atol=1e-3)


@pytest.mark.parametrize("level", ["coarse", "fine"])
def test_overflow_is_seen_and_float32_goes_on(
    tiny_model: LoFTR, texture: Gray, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The features of the first image, made before anything was noticed, are made again when they are used again."""
    backbone = tiny_model.backbone
    large, small = (
        (backbone.layer3[0].conv1, backbone.layer3[0].conv2)
        if level == "coarse"
        else (backbone.layer1_outconv2[0], backbone.layer1_outconv2[3])
    )
    with torch.no_grad():
        large.weight *= 1e7
        small.weight *= 1e-7
    images = [texture, np.roll(texture, 8, 1), np.roll(texture, 5, 0)]
    exact = LoftrMatcher(tiny_model, CPU, "some.ckpt", precision="float32")
    expected = [exact.extract(image) for image in images]
    matcher = fast(tiny_model)
    assert isinstance(matcher.network, FastNetwork)
    features = [matcher.extract(image) for image in images]
    with caplog.at_level(logging.WARNING):
        for a, b in ((1, 2), (0, 2), (0, 1)):
            assert_same(matcher.match(features[a], features[b]), exact.match(expected[a], expected[b]))
    (record,) = caplog.records
    assert "some.ckpt" in record.getMessage()
    assert matcher.model.dtype is torch.float32


def test_features_outlive_the_images_after_them(texture: Gray) -> None:
    """Captured buffers are overwritten; returned results are not."""
    matcher = fast(load_model("compact"))
    smooth = np.asarray(cv2.GaussianBlur(texture, (0, 0), 1.5))
    a, b = matcher.extract(smooth), matcher.extract(np.roll(smooth, 8, 1))
    first = matcher.match(a, b)
    before = [a.maps.coarse.clone(), a.maps.fine.clone()]
    for shift in (16, 24):
        matcher.match(matcher.extract(np.roll(smooth, shift, 0)), b)
    assert torch.equal(a.maps.coarse, before[0])
    assert torch.equal(a.maps.fine, before[1])
    assert_same(matcher.match(a, b), first)


def test_masks_with_fixed_shapes(texture: Gray) -> None:
    matcher = fast(load_model("compact"))
    smooth = np.asarray(cv2.GaussianBlur(texture, (0, 0), 1.5))
    mask = np.ones(texture.shape, np.uint8)
    mask[:, 200:] = 0
    masked, whole = matcher.extract(smooth, mask), matcher.extract(smooth)
    assert matcher.match(whole, whole).points_a[:, 0].max() > 200
    for a, b in ((masked, whole), (whole, masked), (masked, masked)):
        found = matcher.match(a, b)
        assert len(found) > 100
        assert found.points_a[:, 0].max() < 200


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str], None]:
    """Simulate device memory for a limited number of pixels, in extraction or in matching."""

    def install(pixels: int, method: str) -> None:
        original = getattr(LoFTR, method)

        def run(self: LoFTR, *args: object) -> object:
            image = args[0].coarse if method == "match" else args[0]  # type: ignore
            if image.shape[2] * image.shape[3] * (64 if method == "match" else 1) > pixels:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 TiB.")
            return original(self, *args)

        monkeypatch.setattr(LoFTR, method, run)

    return install


@pytest.mark.parametrize("method", ["extract", "match"])
def test_out_of_memory_goes_on_smaller(
    tiny_model: LoFTR, texture: Gray, full: Callable[[int, str], None], method: str
) -> None:
    full(200 * 320 // 3, method)
    matcher = LoftrMatcher(tiny_model, CPU, "tiny", ComputeBudget(max_matches=100), "float32")
    budgets = []
    for _ in range(2):
        with pytest.raises(OutOfMemory, match="too little memory for images of") as caught:
            matcher.match(*[matcher.extract(texture)] * 2)
        budgets.append(matcher.budget.max_pixels)
        assert f"max_pixels {budgets[-1]}" in str(caught.value)
    assert budgets[0] == 320 * 200 // 2
    assert budgets[1] == pytest.approx(budgets[0] // 2, rel=0.05)
    assert matcher.budget.max_matches == 100
    assert len(matcher.match(*[matcher.extract(texture)] * 2)) > 5


def test_out_of_memory_at_the_smallest_size(tiny_model: LoFTR, texture: Gray, full: Callable[[int, str], None]) -> None:
    full(0, "extract")
    matcher = LoftrMatcher(tiny_model, CPU, "tiny", ComputeBudget(2 * MIN_SIDE**2), "float32")
    messages = []
    for _ in range(3):
        with pytest.raises(MatcherError) as caught:
            matcher.extract(texture[:64, :128])
        messages.append(str(caught.value))
    assert matcher.budget.max_pixels == MIN_SIDE**2
    assert "continues with max_pixels 4096" in messages[0]
    assert "even at max_pixels 4096" in messages[1]
    assert messages[2] == messages[1]


def test_lack_of_memory_of_the_machine_changes_nothing(
    tiny_model: LoFTR, texture: Gray, monkeypatch: pytest.MonkeyPatch
) -> None:
    matcher = LoftrMatcher(tiny_model, CPU, "tiny", precision="float32")
    with monkeypatch.context() as patch:
        patch.setattr(LoFTR, "match", lambda *arguments: torch.empty(1 << 50))
        with pytest.raises(MatcherError, match="too little memory for images of 320 x 200 pixels: end other") as caught:
            matcher.match(*[matcher.extract(texture)] * 2)
        assert not isinstance(caught.value, OutOfMemory)
    assert matcher.budget.max_pixels > texture.size
    assert len(matcher.match(*[matcher.extract(texture)] * 2)) > 5


def test_processors_have_no_limit_of_memory() -> None:
    limit_memory(CPU, 10**9)
    assert load_matcher("compact", "cpu", memory_limit_mib=100).budget == ComputeBudget(MAX_PIXELS, 0)


def test_warm_up(tiny_matcher: LoftrMatcher) -> None:
    assert 0 < tiny_matcher.warm_up(80, 96) < 60


def test_features_of_different_efforts_match(recorded: Callable[[str], Path]) -> None:
    """A keyframe at full size and a frame at half its pixels: fewer matches, at the same places."""
    folder = recorded("tum/7scenes_kitchen/rgb")
    images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(folder.iterdir())[5:9:3]]
    matcher = load_matcher("compact", "cpu", ComputeBudget(images[0].size))
    keyframe, frame = map(matcher.extract, images)
    reference = matcher.match(keyframe, frame)
    matcher.budget = replace(matcher.budget, max_pixels=images[0].size // 2)
    smaller = matcher.extract(images[1])
    assert smaller.size == (336, 456)
    found = matcher.match(keyframe, smaller)
    assert len(found) > 0.35 * len(reference)
    _, i, j = np.intersect1d(reference.cell_a, found.cell_a, return_indices=True)
    assert len(i) > 0.9 * len(found)
    assert np.median(np.linalg.norm(reference.points_b[i] - found.points_b[j], axis=1)) < 2.5
