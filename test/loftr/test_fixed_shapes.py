"""Matches with fixed shapes equal those with data-dependent shapes."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from loftr_ros.loftr.network.coarse_matching import centered_similarity, similarity
from loftr_ros.loftr.network.config import LoFTRConfig, preset
from loftr_ros.loftr.network.model import FeatureMaps, LoFTR, NetworkMatches
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.loftr.runtime.matcher import LoftrMatcher
from loftr_ros.loftr.weights.checkpoints import load_model

Gray = NDArray[np.uint8]
Pair = tuple[FeatureMaps, FeatureMaps]


@pytest.fixture(params=["compact", "sixteenth", "outdoor", "transport"])
def model(request: pytest.FixtureRequest, tiny_config: LoFTRConfig) -> LoFTR:
    if request.param == "compact":
        return load_model("compact").prepare(torch.float32)
    torch.manual_seed(0)
    if request.param == "transport":
        matching = replace(tiny_config.matching, kind="optimal_transport")
        model = LoFTR(replace(tiny_config, matching=matching)).eval()
    elif request.param == "sixteenth":
        config = preset("compact16")  # results of fixed shape compare all cells
        model = LoFTR(replace(config, matching=replace(config.matching, threshold=0.0, candidate_blocks=0))).eval()
    else:
        config = preset("outdoor")
        model = LoFTR(replace(config, matching=replace(config.matching, threshold=0.0))).eval()
    with torch.no_grad():
        model.backbone.layer3_outconv.weight *= 3  # so that places differ more than positions
    return model


@pytest.fixture
def maps(model: LoFTR, texture: Gray) -> Pair:
    """Of images of two sizes: 20 x 24 and 18 x 24 cells."""
    smooth = cv2.GaussianBlur(texture, (0, 0), 1.5)[:160, :200]
    image = torch.from_numpy(smooth)[None, None] / 255
    with torch.inference_mode():
        return model.extract(image[..., :192]), model.extract(image[..., :144, 8:])


def rows(found: NetworkMatches) -> dict[int, list[float]]:
    """Cell of b, confidence and point by cell of a, padding left out."""
    coarse, kept = found.coarse, found.coarse.confidence > 0
    values = torch.column_stack([coarse.cell_b, coarse.confidence, found.points_a, found.points_b])[kept]
    return dict(zip(coarse.cell_a[kept].tolist(), values.tolist(), strict=True))


@pytest.mark.parametrize("masked", [False, True])
def test_same_matches(model: LoFTR, maps: Pair, masked: bool) -> None:
    a, b = maps
    if masked:
        mask = torch.ones(1, *a.grid, dtype=torch.bool)
        mask[:, :, :6] = False
        a = replace(a, mask=mask)
    with torch.inference_mode():
        expected, found = (rows(match(a, b)) for match in (model.match, model.match_fixed))
    assert len(expected) > 40
    assert found.keys() == expected.keys()
    for cell, values in expected.items():
        assert found[cell] == pytest.approx(values, rel=2e-3, abs=2e-3)


def test_most_confident_are_kept(model: LoFTR, maps: Pair) -> None:
    """Which, if they are as confident as others, does not matter."""
    with torch.inference_mode():
        assert len(model.match_fixed(*maps).points_b) == 18 * 24
        everything, few, fixed = (
            rows(found) for found in (model.match(*maps), model.match(*maps, 20), model.match_fixed(*maps, 20))
        )
    confidence = sorted(values[1] for values in everything.values())[-20:]
    for kept in (few, fixed):
        assert sorted(values[1] for values in kept.values()) == pytest.approx(confidence, rel=2e-3)
        for cell, values in kept.items():
            assert everything[cell] == pytest.approx(values, rel=2e-3, abs=2e-3)
    assert list(few) == sorted(few)


def test_tokens_that_are_no_numbers_show(model: LoFTR, maps: Pair) -> None:
    a, b = maps
    coarse = a.coarse.clone()
    coarse[0, 0, 3, 4] = torch.inf
    with torch.inference_mode():
        found = model.match_fixed(replace(a, coarse=coarse), b)
    assert found.coarse.confidence.isnan().all()


def test_taking_means_out_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1, cells, 16, generator=generator) + 3 for cells in (20, 30))
    torch.testing.assert_close(centered_similarity(a, b, 0.1, False), similarity(a, b, 0.1), rtol=1e-4, atol=1e-4)
    b += 60
    rounded = centered_similarity(a, b, 0.1, True)
    exact = (a.double() @ b.double().transpose(1, 2)) / (16 * 0.1)
    assert (rounded - exact).abs().max() < 0.1
    assert exact.abs().max() > 300


def test_matcher_keeps_the_most_confident(texture: Gray) -> None:
    """In both networks, and from the first image with the new compute budget."""
    texture = np.asarray(cv2.GaussianBlur(texture, (0, 0), 1.5))
    images = texture[:, :-8].copy(), texture[:, 8:].copy()
    for precision in ("float32", "float16"):
        matcher = LoftrMatcher(load_model("compact"), torch.device("cpu"), "compact", precision=precision)  # type: ignore
        pair = [matcher.extract(image) for image in images]
        everything = matcher.match(*pair)
        matcher.budget = ComputeBudget(max_matches=50)
        few = matcher.match(*pair)
        assert len(everything) > 200
        assert len(few) == 50
        assert few.confidence.min() >= np.sort(everything.confidence)[-50] * 0.999
        assert set(few.cell_a) <= set(everything.cell_a)


def test_maps_at_1_16_take_the_fast_path(texture: Gray) -> None:
    """Captured functions take tensors only: the context and a mask must arrive where they belong."""
    torch.manual_seed(0)
    config = preset("compact16")
    model = LoFTR(replace(config, matching=replace(config.matching, threshold=0.0, candidate_blocks=0))).eval()
    with torch.no_grad():
        model.backbone.layer3_outconv.weight *= 5  # so that places differ more than positions
    texture = np.asarray(cv2.GaussianBlur(texture, (0, 0), 1.5))
    images = texture[:, :-8].copy(), texture[:, 8:].copy()
    mask = np.ones_like(images[0])
    mask[:, :64] = 0
    found = []
    for precision in ("float32", "float16"):
        matcher = LoftrMatcher(model, torch.device("cpu"), "random", precision=precision)  # type: ignore[arg-type]
        found.append(matcher.match(matcher.extract(images[0], mask), matcher.extract(images[1])))
    expected, fast = (dict(zip(one.cell_a.tolist(), one.points_b, strict=True)) for one in found)
    same = [cell for cell in expected.keys() & fast.keys() if np.abs(expected[cell] - fast[cell]).max() < 2]
    assert len(expected) > 40
    assert len(same) > 0.8 * max(len(expected), len(fast))
    assert all(8 * (cell % (images[0].shape[1] // 8)) >= 64 for cell in fast)
