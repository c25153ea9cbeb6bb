"""The matches found block by block are those of the whole matrix."""

import pytest
import torch

from loftr_ros.loftr.network import blockwise
from loftr_ros.loftr.network.blockwise import blockwise_matches
from loftr_ros.loftr.network.coarse_matching import CoarseMatching, dual_softmax, select_matches, similarity
from loftr_ros.loftr.network.config import CoarseMatchingConfig

GRID_A, GRID_B = (11, 13), (9, 17)  # no multiples of the groups or blocks


def tokens(seed: int, spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two images that share a part of their cells, in another order."""
    generator = torch.Generator().manual_seed(seed)
    a = spread * torch.randn(2, 11 * 13, 16, generator=generator)
    noise = 0.3 * spread * torch.randn(2, 9 * 17, 16, generator=generator)
    order = torch.randperm(11 * 13, generator=generator)
    b = noise
    b[:, :100] += a[:, order[:100]]
    return a, b


@pytest.mark.parametrize("spread", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("threshold", [0.02, 0.2, 0.6])
@pytest.mark.parametrize("masked", [False, True])
def test_blocks_find_the_matches_of_the_whole_matrix(
    spread: float, threshold: float, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockwise, "_BLOCK", 1000)
    config = CoarseMatchingConfig(threshold=threshold, border=1)
    a, b = tokens(1, spread)
    generator = torch.Generator().manual_seed(2)
    masks = (torch.rand(a.shape[:2], generator=generator) < 0.7, torch.rand(b.shape[:2], generator=generator) < 0.7)
    found = CoarseMatching(config)(a, b, GRID_A, GRID_B, masks if masked else None)
    confidence = dual_softmax(similarity(a, b, config.temperature), masks if masked else None)
    expected = select_matches(confidence, GRID_A, GRID_B, config)
    assert len(expected.cell_a) > 10
    for name in ("batch", "cell_a", "cell_b"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    torch.testing.assert_close(found.confidence, expected.confidence, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("round_factors", [False, True])
def test_what_all_tokens_have_in_common_does_no_harm(round_factors: bool) -> None:
    """Trained networks make tokens whose scores are near 5000 and differ by 50."""
    a, b = (torch.cat([images[0], torch.full((images.shape[1], 1), 70.0)], dim=1) for images in tokens(3, 1.0))
    expected = dual_softmax((a.double() @ b.double().T)[None])[0]
    cell_a, cell_b, confidence = blockwise_matches(a, b, 0.2, round_factors=round_factors)
    assert len(cell_a) > 50
    exact = expected[cell_a, cell_b].float()
    torch.testing.assert_close(confidence, exact, rtol=0.1 if round_factors else 1e-3, atol=0)


def test_scores_however_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best scores of some cells are hundreds below those of others: their sums are nothing beside the others'."""
    monkeypatch.setattr(blockwise, "_BLOCK", 1000)
    a, b = tokens(4, 2.0)
    a[0, ::2] *= 3
    expected = dual_softmax(a[:1].double() @ b[:1].double().transpose(1, 2))[0]
    best_of_rows, column = expected.max(dim=1)
    mutual = (best_of_rows > 0.2) & (expected.amax(dim=0)[column] == best_of_rows)
    cell_a, cell_b, confidence = blockwise_matches(a[0], b[0], 0.2)
    order = cell_a.argsort()
    assert cell_a[order].tolist() == torch.where(mutual)[0].tolist()
    assert cell_b[order].tolist() == column[mutual].tolist()
    torch.testing.assert_close(confidence[order], best_of_rows[mutual].float(), rtol=1e-3, atol=0)
    assert len(cell_a) > 40
    best_score = (a[0] @ b[0, cell_b].T).amax(dim=0)
    assert best_score.max() - best_score.min() > 200  # exp(-200) is nothing in single precision


def test_the_weakest_cell_is_matched_beside_far_stronger_ones() -> None:
    a, b = torch.eye(4) * 30, torch.eye(4) * 30
    a[0, 0] = 1.0  # the best score of this cell is 870 below that of the others
    found = CoarseMatching(CoarseMatchingConfig(temperature=0.25, border=0))(a[None], b[None], (2, 2), (2, 2))
    assert found.cell_a.tolist() == found.cell_b.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("cells", [(0, 5), (5, 0)])
def test_images_without_any_cell_have_no_match(cells: tuple[int, int]) -> None:
    assert [len(part) for part in blockwise_matches(torch.ones(cells[0], 8), torch.ones(cells[1], 8), 0.2)] == [0, 0, 0]
