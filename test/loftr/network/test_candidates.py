"""Matches inside candidate blocks: exact with all of them, close to it with few."""

import pytest
import torch

from loftr_ros.loftr.network.blockwise import blockwise_matches
from loftr_ros.loftr.network.candidates import block_of, candidate_matches
from loftr_ros.loftr.network.coarse_matching import CoarseMatching, dual_softmax, similarity
from loftr_ros.loftr.network.config import CoarseMatchingConfig
from loftr_ros.loftr.network.pooling import Grid

ODD, EVEN = ((11, 13), (9, 17)), ((12, 14), (8, 10))
ALL = 1000  # more than there are blocks
Found = dict[tuple[int, int], float]


def tokens(grids: tuple[Grid, Grid], spread: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two images that share a part of their cells, in another order."""
    generator = torch.Generator().manual_seed(0)
    cells_a, cells_b = (rows * columns for rows, columns in grids)
    a = spread * torch.randn(cells_a, 16, generator=generator)
    b = 0.3 * spread * torch.randn(cells_b, 16, generator=generator)
    shared = min(cells_a, cells_b) * 2 // 3
    b[:shared] += a[torch.randperm(cells_a, generator=generator)[:shared]]
    return a, b


def smooth(grid: Grid, length: float, step: int) -> torch.Tensor:
    """Tokens (rows, columns, 16) of a length that change as those of a network do, independent every `step` cells."""
    coarse = torch.randn(1, 16, grid[0] // step, grid[1] // step, generator=torch.Generator().manual_seed(0))
    maps = torch.nn.functional.interpolate(coarse, grid, mode="bilinear")
    return length * torch.nn.functional.normalize(maps[0].permute(1, 2, 0), dim=2)


def table(found: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> Found:
    cell_a, cell_b, confidence = (part.tolist() for part in found)
    return dict(zip(zip(cell_a, cell_b, strict=True), confidence, strict=True))


def assert_close(found: Found, expected: Found, relative: float = 1e-3) -> None:
    assert found.keys() == expected.keys()
    assert list(found.values()) == pytest.approx([expected[pair] for pair in found], rel=relative)


@pytest.mark.parametrize("grids", [ODD, EVEN])
@pytest.mark.parametrize("spread", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("threshold", [0.02, 0.2])
def test_all_blocks_give_the_exact_matches(grids: tuple[Grid, Grid], spread: float, threshold: float) -> None:
    a, b = tokens(grids, spread)
    expected = table(blockwise_matches(a, b, threshold))
    assert len(expected) > 20
    assert_close(table(candidate_matches(a, b, grids, threshold, ALL)), expected)


@pytest.mark.parametrize("grids", [ODD, EVEN])
def test_masked_cells_might_as_well_not_exist(grids: tuple[Grid, Grid]) -> None:
    a, b = tokens(grids)
    generator = torch.Generator().manual_seed(1)
    used_a, used_b = (torch.rand(len(image), generator=generator) < 0.6 for image in (a, b))
    used_a[:30] = used_b[-20:] = False  # whole blocks
    cell_a, cell_b, confidence = blockwise_matches(a[used_a], b[used_b], 0.1)
    places = torch.where(used_a)[0][cell_a], torch.where(used_b)[0][cell_b]
    a[~used_a], b[~used_b] = torch.nan, torch.inf  # results of masked tokens are undefined
    found = table(candidate_matches(a, b, grids, 0.1, ALL, (used_a, used_b)))
    assert len(found) > 10
    assert_close(found, table((*places, confidence)))


def test_nothing_to_match() -> None:
    a, b = tokens(ODD)
    all_a, all_b = torch.ones(len(a), dtype=torch.bool), torch.ones(len(b), dtype=torch.bool)
    for masks in ((~all_a, all_b), (all_a, ~all_b)):
        assert [len(part) for part in candidate_matches(a, b, ODD, 0.1, 4, masks)] == [0, 0, 0]


@pytest.mark.parametrize("round_factors", [False, True])
def test_common_component_of_all_tokens(round_factors: bool) -> None:
    """Trained networks make tokens whose scores are near 5000 and differ by 50."""
    a, b = (torch.cat([image, torch.full((len(image), 1), 70.0)], dim=1) for image in tokens(ODD))
    expected = dual_softmax((a.double() @ b.double().T)[None])[0]
    cell_a, cell_b, confidence = candidate_matches(a, b, ODD, 0.2, ALL, round_factors=round_factors)
    assert len(cell_a) > 50
    exact = expected[cell_a, cell_b].float()
    torch.testing.assert_close(confidence, exact, rtol=0.1 if round_factors else 1e-3, atol=0)


def test_the_weakest_cell_is_matched_beside_far_stronger_ones() -> None:
    a, b = torch.eye(16) * 30, torch.eye(16) * 30
    a[0, 0] = 1.0  # the best score of this cell is 870 below that of the others
    found = table(candidate_matches(a / 4, b, ((4, 4), (4, 4)), 0.2, 2))
    assert set(found) >= {(cell, cell) for cell in range(16)}


def test_few_candidates_find_nearly_all_matches() -> None:
    grid = (24, 32)
    a = smooth(grid, 28, 4)
    b = a.roll((3, 5), (0, 1)) + 0.5 * torch.randn(a.shape, generator=torch.Generator().manual_seed(1))
    a, b = a.flatten(0, 1) / 4, b.flatten(0, 1)
    exact = table(blockwise_matches(a, b, 0.1))
    found = table(candidate_matches(a, b, (grid, grid), 0.1, 8))
    same = found.keys() & exact.keys()
    assert len(exact) > 500
    assert len(same) > 0.85 * max(len(exact), len(found))
    clear = {pair for pair, confidence in exact.items() if confidence > 0.4}
    assert len(clear) > 100
    assert len(clear & same) > 0.9 * len(clear)
    ratios = torch.tensor([found[pair] / exact[pair] for pair in same])
    assert ratios.median() == pytest.approx(1, abs=0.05)


def test_repetitions_outside_of_the_candidates_count() -> None:
    """Sixteen equal tiles, of which the candidates are two: confidences are as low as the exact ones."""
    tile = smooth((6, 8), 12, 2)
    a = tile.repeat(4, 4, 1).flatten(0, 1)
    grids = (24, 32), (24, 32)
    noise = 0.05 * torch.randn(a.shape, generator=torch.Generator().manual_seed(1))
    exact = table(blockwise_matches(a / 4, a + noise, 0.02))
    found = table(candidate_matches(a / 4, a + noise, grids, 0.02, 2))
    assert max(found.values(), default=0) < 2 * max(exact.values(), default=0.02)
    once = table(candidate_matches(tile.flatten(0, 1) / 4, tile.flatten(0, 1), ((6, 8), (6, 8)), 0.1, 2))
    assert max(once.values()) > 0.3


def test_batch_border_and_masks_through_the_layer() -> None:
    grid_a, grid_b = ODD
    images = [tokens(ODD, spread) for spread in (2.0, 3.0)]
    a, b = (torch.stack(parts) for parts in zip(*images, strict=True))
    masks = torch.ones(a.shape[:2], dtype=torch.bool), torch.ones(b.shape[:2], dtype=torch.bool)
    masks[0][1, :40] = False
    config = CoarseMatchingConfig(threshold=0.1, border=1, candidate_blocks=20)
    found = CoarseMatching(config)(a, b, grid_a, grid_b, masks)
    exact = dual_softmax(similarity(a, b, config.temperature), masks)
    assert set(found.batch.tolist()) == {0, 1}
    assert (found.cell_a[found.batch == 1] >= 40).all()
    for cells, (rows, columns) in ((found.cell_a, grid_a), (found.cell_b, grid_b)):
        assert (cells // columns).min() >= 1
        assert (cells // columns).max() <= rows - 2
        assert (cells % columns).min() >= 1
        assert (cells % columns).max() <= columns - 2
    expected = exact[found.batch, found.cell_a, found.cell_b]
    assert ((found.confidence - expected).abs() < 0.1).float().mean() > 0.9


@pytest.mark.parametrize("candidate_blocks", [0, 54])  # 54: as many as there are
def test_exact_where_there_is_nothing_to_select(candidate_blocks: int) -> None:
    a, b = (image[None] for image in tokens(ODD))
    exact = CoarseMatching(CoarseMatchingConfig())(a, b, *ODD)
    found = CoarseMatching(CoarseMatchingConfig(candidate_blocks=candidate_blocks))(a, b, *ODD)
    assert torch.equal(found.confidence, exact.confidence)


def test_block_of_a_cell() -> None:
    grid = (3, 5)
    expected = [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    assert block_of(torch.arange(15), grid).view(grid).tolist() == expected


def test_likelihood_of_the_candidates() -> None:
    """Blocks by their averages; a block that matches two others may find either."""
    grid = (2, 4)
    a, b = (torch.randn(1, 8, 16, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    matching = CoarseMatching(CoarseMatchingConfig(candidate_blocks=1))
    cells_a, cells_b = torch.tensor([0, 5, 2]), torch.tensor([1, 3, 7])  # blocks 0-0, 0-1, 1-1
    logs = matching.log_candidates(a, b, (grid, grid), torch.zeros(3, dtype=torch.long), cells_a, cells_b)
    blocks = [image.view(2, 2, 2, 16).mean(dim=(0, 2)) for image in (a, b)]
    scores = blocks[0] @ blocks[1].T / 1.6
    rows, columns = scores.softmax(dim=1), scores.softmax(dim=0)
    expected = torch.stack([rows.new_ones(()), rows[1, 1], columns[0, 0], columns.new_ones(())]).log()
    torch.testing.assert_close(logs, expected, rtol=1e-4, atol=1e-5)
    exact = CoarseMatching(CoarseMatchingConfig())
    assert len(exact.log_candidates(a, b, (grid, grid), torch.zeros(3, dtype=torch.long), cells_a, cells_b)) == 0
