"""Blocks of tokens: averages, interpolation between their centers, and masks."""

import pytest
import torch
from torch.nn import functional as F

from loftr_ros.loftr.network.pooling import Blocks

CPU = torch.device("cpu")


def _tokens(grid: tuple[int, int]) -> torch.Tensor:
    return torch.randn(2, grid[0] * grid[1], 3, generator=torch.Generator().manual_seed(0))


def test_pool_averages_blocks_and_what_is_left_at_the_rim() -> None:
    tokens = torch.arange(15.0).reshape(1, 15, 1)
    rows = tokens.reshape(3, 5)
    expected = [rows[r : r + 2, c : c + 2].mean().item() for r in (0, 2) for c in (0, 2, 4)]
    assert Blocks((3, 5), 2, CPU).pool(tokens).flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize("side", [2, 4])
def test_same_as_torch_where_blocks_divide_the_grid(side: int) -> None:
    blocks, tokens = Blocks((8, 12), side, CPU), _tokens((8, 12))
    maps = tokens.transpose(1, 2).unflatten(2, (8, 12))
    pooled = F.avg_pool2d(maps, side)
    torch.testing.assert_close(blocks.pool(tokens), pooled.flatten(2).transpose(1, 2))
    spread = F.interpolate(pooled, scale_factor=float(side), mode="bilinear").flatten(2).transpose(1, 2)
    torch.testing.assert_close(blocks.upsample(blocks.pool(tokens)), spread)


@pytest.mark.parametrize("grid", [(8, 8), (7, 9), (5, 4), (9, 11), (3, 1)])
def test_constant_stays(grid: tuple[int, int]) -> None:
    blocks, constant = Blocks(grid, 4, CPU), torch.full((1, grid[0] * grid[1], 3), 2.0)
    torch.testing.assert_close(blocks.upsample(blocks.pool(constant)), constant)


@pytest.mark.parametrize(("size", "outer"), [(16, 13.5), (14, 12.5), (15, 13.0), (13, 12.0), (7, 5.0)])
def test_ramp_stays_between_the_outer_centers(size: int, outer: float) -> None:
    """Block means, spread linearly between the centers of the blocks, lie on the same line, small blocks included."""
    ramp = torch.arange(float(size)).repeat(size, 1)
    blocks = Blocks((size, size), 4, CPU)
    for plane in (ramp, ramp.T):
        restored = blocks.upsample(blocks.pool(plane.reshape(1, -1, 1))).reshape(size, size)
        torch.testing.assert_close(restored, plane.clamp(1.5, outer))


def test_side_of_one_changes_nothing() -> None:
    tokens = _tokens((3, 5))
    blocks = Blocks((3, 5), 1, CPU)
    assert torch.equal(blocks.upsample(blocks.pool(tokens)), tokens)


def test_masked_tokens_are_not_averaged() -> None:
    tokens = torch.arange(16.0).reshape(1, 16, 1)
    mask = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]).bool().reshape(1, 16)
    tokens[~mask] = torch.nan
    blocks = Blocks((4, 4), 2, CPU, mask)
    assert blocks.mask is not None
    assert blocks.mask.tolist() == [[True, False, False, True]]
    assert blocks.pool(tokens)[blocks.mask].flatten().tolist() == pytest.approx(
        [(0 + 4 + 5) / 3, (10 + 11 + 14 + 15) / 4]
    )


def test_blocks_without_a_token_give_nothing() -> None:
    """Between two blocks to use there are averages of the two, whatever a third one says."""
    mask = torch.ones(1, 4, 4, dtype=torch.bool)
    mask[0, :2, 2:] = False
    blocks = Blocks((4, 4), 2, CPU, mask.flatten(1))
    spread = blocks.upsample(torch.tensor([[[1.0], [1e6], [2.0], [3.0]]])).reshape(1, 4, 4)
    assert spread[mask].max() <= 3
    assert spread[mask].min() >= 1
    assert spread[0, 0, 0] == 1
    assert spread[0, 3, 3] == 3


def test_image_without_a_token_to_use_is_taken_whole() -> None:
    tokens = _tokens((5, 6))
    mask = torch.zeros(2, 30, dtype=torch.bool)
    mask[1, :7] = True
    masked, whole = Blocks((5, 6), 2, CPU, mask), Blocks((5, 6), 2, CPU)
    torch.testing.assert_close(masked.pool(tokens)[0], whole.pool(tokens)[0])
    assert not torch.allclose(masked.pool(tokens)[1], whole.pool(tokens)[1])
