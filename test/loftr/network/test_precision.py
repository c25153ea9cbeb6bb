"""Folded normalization and half precision against the network as it was trained."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.network.precision import (
    Precision,
    PrecisionError,
    features_dtype,
    has_fast_bfloat16,
    rounded_factors,
)
from loftr_ros.loftr.runtime.matcher import LoftrMatcher, load_matcher
from loftr_ros.loftr.weights.checkpoints import load_model

CPU = torch.device("cpu")


def test_folding_changes_nothing(tiny_model: LoFTR) -> None:
    generator = torch.Generator().manual_seed(1)
    for module in tiny_model.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after training
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    image = torch.rand(1, 1, 64, 80, generator=generator)
    ready = tiny_model.prepare(torch.float32)
    with torch.inference_mode():
        expected, found = tiny_model.extract(image), ready.extract(image)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in ready.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in tiny_model.modules())
    torch.testing.assert_close(found.coarse, expected.coarse, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.fine, expected.fine, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("turn", [0.0, 3.0])
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_finds_the_same_matches(turn: float, precision: Precision) -> None:
    """The embedded network on a photograph-like image and the same, turned and shifted."""
    rng = np.random.default_rng(5)
    image = cv2.GaussianBlur(rng.integers(0, 255, (240, 320), np.uint8), (0, 0), 3)
    image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
    warp = cv2.getRotationMatrix2D((160, 120), turn, 1.0) + np.array([[0, 0, 5.0], [0, 0, 3.0]])
    other = cv2.warpAffine(image, warp, (320, 240), borderMode=cv2.BORDER_REFLECT)
    model = load_model("compact")
    names: tuple[Precision, ...] = ("float32", precision)
    exact, half = (LoftrMatcher(model, CPU, "compact", precision=name) for name in names)
    expected, found = (matcher.match(matcher.extract(image), matcher.extract(other)) for matcher in (exact, half))
    assert len(expected) > 500
    _, here, there = np.intersect1d(expected.cell_a, found.cell_a, return_indices=True)
    distance = np.linalg.norm(expected.points_b[here] - found.points_b[there], axis=1)
    assert (distance < 4.0).sum() >= 0.99 * len(np.union1d(expected.cell_a, found.cell_a))
    assert np.median(distance) < 0.02
    assert half.model.dtype is getattr(torch, precision)


def test_the_setting_of_the_process_is_put_back() -> None:
    before = torch.get_float32_matmul_precision()
    with rounded_factors():
        assert torch.get_float32_matmul_precision() == "medium"
    assert torch.get_float32_matmul_precision() == before


def test_what_is_chosen(tmp_path: Path) -> None:
    assert features_dtype("auto", CPU) is (torch.bfloat16 if has_fast_bfloat16() else torch.float32)
    assert features_dtype("float32", CPU) is torch.float32
    assert features_dtype("bfloat16", CPU) is torch.bfloat16
    assert features_dtype("float16", CPU) is torch.float16
    with pytest.raises(PrecisionError, match="precision is 'half': it must be one of auto, float32, bfloat16"):
        load_matcher("compact", "cpu", precision="half")  # type: ignore
