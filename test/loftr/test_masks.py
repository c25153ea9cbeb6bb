"""Regions to ignore: from the mask of an image to the matches, with both kinds of matching."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from loftr_ros.loftr.network.config import LoFTRConfig
from loftr_ros.loftr.network.model import FeatureMaps, LoFTR, NetworkMatches
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.loftr.runtime.device import MatcherError
from loftr_ros.loftr.runtime.matcher import LoftrMatcher

Gray = NDArray[np.uint8]


@pytest.fixture(params=["dual_softmax", "optimal_transport"])
def model(tiny_config: LoFTRConfig, request: pytest.FixtureRequest) -> LoFTR:
    torch.manual_seed(0)
    matching = replace(tiny_config.matching, kind=request.param, border=0)
    model = LoFTR(replace(tiny_config, matching=matching)).eval()
    with torch.no_grad():
        model.backbone.layer3_outconv.weight *= 10  # so that places differ more than positions
    return model


@pytest.fixture
def matcher(model: LoFTR) -> LoftrMatcher:
    return LoftrMatcher(model, torch.device("cpu"), "tiny")


@pytest.fixture
def maps(model: LoFTR, texture: Gray) -> tuple[FeatureMaps, FeatureMaps]:
    """Of two 192 x 256 images: 24 x 32 cells."""
    a = torch.from_numpy(texture[:192, :256].copy())[None, None] / 255
    with torch.inference_mode():
        return model.extract(a), model.extract(a.roll((8, 16), (2, 3)))


def _match(model: LoFTR, a: FeatureMaps, b: FeatureMaps) -> NetworkMatches:
    with torch.inference_mode():
        return model.match(a, b)


def test_whole_image_is_as_no_mask(model: LoFTR, maps: tuple[FeatureMaps, FeatureMaps]) -> None:
    whole = torch.ones(1, 24, 32, dtype=torch.bool)
    expected = _match(model, *maps)
    assert len(expected.points_a) > 10
    for a, b in ((whole, whole), (whole, None), (None, whole)):
        found = _match(model, replace(maps[0], mask=a), replace(maps[1], mask=b))
        assert torch.equal(found.coarse.cell_a, expected.coarse.cell_a)
        assert torch.equal(found.coarse.cell_b, expected.coarse.cell_b)
        torch.testing.assert_close(found.coarse.confidence, expected.coarse.confidence, rtol=1e-3, atol=0)
        torch.testing.assert_close(found.points_b, expected.points_b, rtol=0, atol=1e-3)


def test_masked_border_might_as_well_be_cut_off(model: LoFTR, maps: tuple[FeatureMaps, FeatureMaps]) -> None:
    """Without the last five columns of a and the last three rows of b, from the transformer to the last match."""
    a, b = maps
    mask_a, mask_b = torch.zeros(1, 24, 32, dtype=torch.bool), torch.zeros(1, 24, 32, dtype=torch.bool)
    mask_a[:, :, :27] = True
    mask_b[:, :21] = True
    found = _match(model, replace(a, mask=mask_a), replace(b, mask=mask_b))
    expected = _match(
        model,
        FeatureMaps(a.coarse[..., :27], a.fine[..., : 4 * 27 + 2]),  # the windows reach two fine cells further
        FeatureMaps(b.coarse[..., :21, :], b.fine[..., : 4 * 21 + 2, :]),
    )
    assert len(expected.points_a) > 10
    torch.testing.assert_close(found.points_a, expected.points_a, rtol=0, atol=0)
    torch.testing.assert_close(found.points_b, expected.points_b, rtol=0, atol=1e-3)
    torch.testing.assert_close(found.coarse.confidence, expected.coarse.confidence, rtol=1e-3, atol=0)


def test_no_match_where_the_mask_is_zero(matcher: LoftrMatcher, texture: Gray) -> None:
    """A robot's bonnet: the lowest 50 rows of both images, and a hole in the first."""
    mask = np.full(texture.shape, 255, np.uint8)
    mask[150:] = 0
    hole = mask.copy()
    hole[40:60, 100:180] = 0
    moved = np.roll(texture, 8, 1)
    before = matcher.match(matcher.extract(texture), matcher.extract(moved))
    found = matcher.match(matcher.extract(texture, hole), matcher.extract(moved, mask > 0))
    assert len(found) > 20
    assert (before.points_a[:, 1] >= 144).any()
    for points, used in ((found.points_a, hole), (8 * np.round(found.points_b / 8), mask)):
        cells = (points / 8).astype(int)
        assert all(used[8 * y : 8 * y + 8, 8 * x : 8 * x + 8].all() for x, y in cells)


def test_cell_is_used_if_its_whole_block_is(matcher: LoftrMatcher, texture: Gray) -> None:
    image = texture[:80, :96].copy()
    mask = np.ones(image.shape, bool)
    mask[7, 8] = mask[79, 95] = False
    used = matcher.extract(image, mask).maps.mask
    expected = torch.ones(1, 10, 12, dtype=torch.bool)
    expected[0, 0, 1] = expected[0, 9, 11] = False
    assert used is not None
    assert torch.equal(used, expected)


def test_mask_of_an_image_that_is_resized(model: LoFTR, texture: Gray) -> None:
    """Half the size: a cell has 16 x 16 original pixels, and one bad pixel is enough."""
    matcher = LoftrMatcher(model, torch.device("cpu"), "tiny", ComputeBudget(96 * 160))
    mask = np.ones((192, 320), np.uint8)
    mask[31, 32] = 0
    used = matcher.extract(np.ascontiguousarray(texture[:192]), mask).maps.mask
    assert used is not None
    assert used.shape == (1, 12, 20)
    assert torch.nonzero(~used).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("shape", [(320, 200), (200, 320, 1), (25, 40), (200,)])
def test_mask_of_another_shape(matcher: LoftrMatcher, texture: Gray, shape: tuple[int, ...]) -> None:
    with pytest.raises(MatcherError, match=r"mask must have the shape of its image, \(200, 320\)") as caught:
        matcher.extract(texture, np.ones(shape, np.uint8))
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("pool", [1, 4])
@pytest.mark.parametrize("attention", ["linear", "full"])
def test_nothing_to_use_means_no_matches(model: LoFTR, texture: Gray, pool: int, attention: str) -> None:
    config = replace(model.config, coarse=replace(model.config.coarse, pool=pool, attention=attention))
    matcher = LoftrMatcher(LoFTR(config).eval(), torch.device("cpu"), "tiny")
    none, all_of_it = matcher.extract(texture, np.zeros_like(texture)), matcher.extract(texture)
    for a, b in ((none, all_of_it), (all_of_it, none), (none, none)):
        found = matcher.match(a, b)
        assert (len(found), found.points_b.shape) == (0, (0, 2))
        assert all(tokens.isfinite().all() for tokens in matcher.model.transform(a.maps, b.maps))
