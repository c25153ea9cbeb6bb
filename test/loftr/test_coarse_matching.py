"""Dual-softmax, and which cells become matches."""

import pytest
import torch

from loftr_ros.loftr.coarse_matching import dual_softmax, log_dual_softmax_at, select_matches, similarity
from loftr_ros.loftr.config import CoarseMatchingConfig

ALL = CoarseMatchingConfig(threshold=0.0, border=0)


@pytest.fixture
def scores() -> torch.Tensor:
    return 5 * torch.randn(2, 12, 20, generator=torch.Generator().manual_seed(0))


def test_similarity_is_the_scaled_inner_product() -> None:
    a, b = torch.ones(1, 2, 4), torch.full((1, 3, 4), 2.0)
    torch.testing.assert_close(similarity(a, b, 0.1), torch.full((1, 2, 3), 2 / 0.1))


def test_dual_softmax_is_the_product_of_both(scores: torch.Tensor) -> None:
    e = scores.double().exp()
    expected = e / e.sum(1, keepdim=True) * e / e.sum(2, keepdim=True)
    torch.testing.assert_close(dual_softmax(scores).double(), expected, rtol=1e-4, atol=1e-9)


def test_logarithm_at_cells_is_that_of_the_whole_matrix(scores: torch.Tensor) -> None:
    batch, a, b = torch.where(torch.ones_like(scores, dtype=torch.bool))
    expected = dual_softmax(scores.double()).log()[batch, a, b]
    torch.testing.assert_close(log_dual_softmax_at(scores.double(), batch, a, b), expected)


def test_logarithm_is_never_positive() -> None:
    """Or the focal weight would be a root of a negative number."""
    sure = 300 * torch.eye(50)[None] + torch.rand(1, 50, 50, generator=torch.Generator().manual_seed(0))
    cells = torch.arange(50)
    assert (log_dual_softmax_at(sure, torch.zeros_like(cells), cells, cells) <= 0).all()


def test_matches_are_mutual_and_each_cell_has_one(scores: torch.Tensor) -> None:
    confidence = dual_softmax(scores)
    found = select_matches(confidence, (3, 4), (4, 5), ALL)
    assert len(found.batch) > 4
    torch.testing.assert_close(found.confidence, confidence[found.batch, found.cell_a, found.cell_b])
    for batch, a, b in zip(found.batch, found.cell_a, found.cell_b, strict=True):
        assert confidence[batch, a].argmax() == b
        assert confidence[batch, :, b].argmax() == a
    expected = sum(int(confidence[k, :, confidence[k, a].argmax()].argmax() == a) for k in range(2) for a in range(12))
    assert len(found.batch) == expected


def test_threshold_is_exceeded() -> None:
    confidence = torch.diag(torch.tensor([0.1, 0.2, 0.3, 0.4]))[None]
    config = CoarseMatchingConfig(threshold=0.2, border=0)
    assert select_matches(confidence, (2, 2), (2, 2), config).cell_a.tolist() == [2, 3]


def test_border_counts_in_both_images() -> None:
    """a is 5 x 6 cells, b is 6 x 5; cell (2, 2) of a goes to the middle of b, cell (2, 3) to its rim."""
    confidence = torch.zeros(1, 30, 30)
    confidence[0, 2 * 6 + 2, 2 * 5 + 2] = 1
    confidence[0, 2 * 6 + 3, 5 * 5 + 2] = 1  # b: last row
    confidence[0, 0 * 6 + 2, 3 * 5 + 2] = 1  # a: first row
    config = CoarseMatchingConfig(threshold=0.5, border=1)
    found = select_matches(confidence, (5, 6), (6, 5), config)
    assert (found.cell_a.tolist(), found.cell_b.tolist()) == ([14], [12])


def test_border_wider_than_the_grid_leaves_nothing() -> None:
    confidence = torch.eye(9)[None]
    assert len(select_matches(confidence, (3, 3), (3, 3), CoarseMatchingConfig(border=5)).batch) == 0
