"""The network with its transformer at 1/16, and that the published ones are untouched by it."""

import hashlib
from dataclasses import replace

import pytest
import torch

from loftr_ros.loftr.network.config import LoFTRConfig, preset
from loftr_ros.loftr.network.model import FeatureMaps, LoFTR
from loftr_ros.loftr.network.sixteenth import ContextFusion, context_grid


@pytest.fixture
def model() -> LoFTR:
    """Random weights, and a threshold that some cells pass."""
    torch.manual_seed(0)
    config = preset("compact16")
    model = LoFTR(
        replace(config, matching=replace(config.matching, threshold=0.0, border=0, candidate_blocks=0))
    ).eval()
    with torch.no_grad():
        model.backbone.layer3_outconv.weight *= 5  # so that places differ more than positions
    return model


def images(height: int, width: int, count: int = 1) -> torch.Tensor:
    coarse = torch.rand(count, 1, height // 4, width // 4, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def test_size() -> None:
    assert sum(parameter.numel() for parameter in LoFTR(preset("compact16")).parameters()) <= 500_000


@pytest.mark.parametrize(("height", "width"), [(64, 96), (72, 88), (64, 104)])
def test_maps_of_even_and_odd_grids(model: LoFTR, height: int, width: int) -> None:
    maps = model.extract(images(height, width))
    assert maps.context is not None
    assert maps.coarse.shape == (1, 64, height // 8, width // 8)
    assert maps.fine.shape == (1, 32, height // 2, width // 2)
    assert maps.context.shape[2:] == context_grid(maps.grid) == (-(-height // 16), -(-width // 16))
    assert [tokens.shape for tokens in model.transform(maps, maps)] == [(1, height * width // 64, 64)] * 2


def test_matches_between_grids_of_two_sizes(model: LoFTR) -> None:
    image = images(96, 136)
    found = model(image, image[..., 8:128])
    assert len(found.points_a) > 20
    shift = (found.points_a - found.points_b).median(dim=0).values
    assert shift.tolist() == pytest.approx([8, 0], abs=2)


def test_a_batch_is_as_its_pairs(model: LoFTR) -> None:
    a, b = images(64, 96, 2), images(64, 96, 2).flip(0).roll(8, 3)
    batched = model.transform(model.extract(a), model.extract(b))
    for i in range(2):
        single = model.transform(model.extract(a[i : i + 1]), model.extract(b[i : i + 1]))
        for tokens, expected in zip(batched, single, strict=True):
            torch.testing.assert_close(tokens[i : i + 1], expected, rtol=1e-3, atol=1e-3)


def test_context_reaches_the_tokens_at_its_place() -> None:
    """One token of the context changes the cells around its own place, and no others."""
    torch.manual_seed(0)
    fusion = ContextFusion(preset("compact16").backbone).eval()
    grid, small = (7, 9), (4, 5)
    tokens, context = torch.randn(1, 63, 64), torch.randn(1, 20, 80)
    changed = context.clone()
    changed[0, 1 * 5 + 2] += 1  # row 1, column 2: cells 2 to 3, 4 to 5
    difference = fusion(tokens, changed, grid, small) - fusion(tokens, context, grid, small)
    rows, columns = torch.where(difference.view(7, 9, 64).abs().amax(dim=2) > 1e-6)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 4, 3, 6)
    assert len(rows) == 16


def test_cross_attention_sees_the_other_image(model: LoFTR) -> None:
    a, b, other = (model.extract(images(64, 96).roll(shift, 3)) for shift in (0, 8, 40))
    assert not torch.allclose(model.transform(a, b)[0], model.transform(a, other)[0], atol=1e-3)


def test_masked_border_might_as_well_be_cut_off(model: LoFTR) -> None:
    """Without the last five columns of a and the last three rows of b: odd grids remain.

    Without pooling, which places the average of a block at the center of the whole block, used or not.
    """
    model.loftr_coarse.pool = 1
    a, b = model.extract(images(192, 256)), model.extract(images(192, 256).roll((8, 16), (2, 3)))
    assert a.context is not None
    assert b.context is not None
    mask_a, mask_b = torch.zeros(1, 24, 32, dtype=torch.bool), torch.zeros(1, 24, 32, dtype=torch.bool)
    mask_a[:, :, :27] = True
    mask_b[:, :21] = True
    found = model.match(replace(a, mask=mask_a), replace(b, mask=mask_b))
    expected = model.match(
        FeatureMaps(a.coarse[..., :27], a.fine[..., : 4 * 27 + 2], context=a.context[..., :14]),
        FeatureMaps(b.coarse[..., :21, :], b.fine[..., : 4 * 21 + 2, :], context=b.context[..., :11, :]),
    )
    assert len(expected.points_a) > 10
    torch.testing.assert_close(found.points_a, expected.points_a, rtol=0, atol=0)
    torch.testing.assert_close(found.points_b, expected.points_b, rtol=0, atol=1e-2)
    torch.testing.assert_close(found.coarse.confidence, expected.coarse.confidence, rtol=1e-2, atol=0)


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-3), (torch.bfloat16, 0.1)])
def test_prepared_for_inference(model: LoFTR, precision: torch.dtype, tolerance: float) -> None:
    ready, image = model.prepare(precision), images(64, 96)
    assert ready.dtype is precision
    expected, found = model.extract(image), ready.extract(image)
    assert found.context is not None
    assert expected.context is not None
    assert found.coarse.dtype is found.context.dtype is torch.float32
    for one, other in ((found.coarse, expected.coarse), (found.context, expected.context), (found.fine, expected.fine)):
        assert (one.float() - other).norm() < tolerance * other.norm()


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("compact", "28e477cc11bd4c32"),
        ("outdoor", "7645cf6b008b21ec"),
    ],
)
def test_other_networks_have_the_parameters_that_they_had(name: str, digest: str) -> None:
    """Names and shapes, as in the files of their weights."""
    state = LoFTR(preset(name)).state_dict()
    names = "\n".join(f"{key} {tuple(value.shape)}" for key, value in state.items())
    assert hashlib.sha256(names.encode()).hexdigest()[:16] == digest


def test_older_configurations_stay_what_they_are() -> None:
    values = preset("compact").to_dict()
    for part, keys in {
        "backbone": ("sixteenth_dim", "half_blocks", "quarter_blocks"),
        "coarse": ("mlp_ratio",),
        "fine": ("mlp_ratio",),
        "matching": ("candidate_blocks",),
    }.items():
        for key in keys:
            del values[part][key]
    assert LoFTRConfig.from_dict(values) == preset("compact")
