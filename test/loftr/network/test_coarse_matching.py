"""Confidence by both kinds of matching, and which cells become matches."""

from dataclasses import replace

import pytest
import torch

from loftr_ros.loftr.network.coarse_matching import (
    CoarseMatching,
    dual_softmax,
    log_dual_softmax_at,
    select_matches,
    similarity,
)
from loftr_ros.loftr.network.config import CoarseMatchingConfig
from loftr_ros.loftr.network.optimal_transport import log_optimal_transport

ALL = CoarseMatchingConfig(threshold=0.0, border=0)
TRANSPORT = replace(ALL, kind="optimal_transport", temperature=1.0)
KINDS = [ALL, TRANSPORT]


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


def test_confidence_and_matches_of_kornia() -> None:
    """One pair with the grids of a = 3 x 4 and b = 4 x 5, through kornia's matching by the authors' formula."""
    module = pytest.importorskip("kornia.feature.loftr.utils.coarse_matching", reason="kornia is needed for parity")
    settings = {"thr": 0.05, "border_rm": 0, "match_type": "dual_softmax", "dsmax_temperature": 0.1}
    settings |= {"train_coarse_percent": 0.2, "train_pad_num_gt_min": 200}
    tokens_a, tokens_b = _tokens(12, 0)[:1].double(), _tokens(20, 1)[:1].double()
    data = {"hw0_c": (3, 4), "hw1_c": (4, 5), "hw0_i": (24, 32), "hw1_i": (32, 40), "bs": 1, "stride_c": 8}
    module.CoarseMatching(settings).eval()(tokens_a, tokens_b, data)
    with torch.inference_mode():
        found = CoarseMatching(replace(ALL, threshold=0.05))(tokens_a, tokens_b, (3, 4), (4, 5))
    assert len(found.batch) > 2
    assert torch.equal(found.cell_a, data["i_ids"])
    assert torch.equal(found.cell_b, data["j_ids"])
    torch.testing.assert_close(found.confidence.double(), data["mconf"], rtol=1e-4, atol=0)


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


def _tokens(count: int, seed: int) -> torch.Tensor:
    return 4 * torch.randn(2, count, 8, generator=torch.Generator().manual_seed(seed))


def test_only_optimal_transport_has_a_parameter() -> None:
    """State dicts of dual-softmax networks stay what they were; the name is that of the published ones."""
    assert dict(CoarseMatching(ALL).named_parameters()) == {}
    ((name, value),) = CoarseMatching(TRANSPORT).named_parameters()
    assert (name, value.shape, value.item()) == ("bin_score", (), 1.0)


def test_optimal_transport_by_its_steps() -> None:
    """The features are divided by the root of their size, and by no temperature."""
    tokens_a, tokens_b = _tokens(12, 0), _tokens(20, 1)
    matching = CoarseMatching(TRANSPORT)
    matching.bin_score.data.fill_(-0.5)
    with torch.inference_mode():
        found = matching(tokens_a, tokens_b, (3, 4), (4, 5))
    scores = (tokens_a / 8**0.5) @ (tokens_b / 8**0.5).transpose(1, 2)
    confidence = log_optimal_transport(scores, torch.tensor(-0.5), 3)[:, :12, :20].exp()
    expected = select_matches(confidence, (3, 4), (4, 5), TRANSPORT)
    assert len(found.batch) > 4
    assert torch.equal(found.cell_a, expected.cell_a)
    assert torch.equal(found.cell_b, expected.cell_b)
    torch.testing.assert_close(found.confidence, expected.confidence)


def test_prefilter_leaves_out_what_the_dustbin_has_most_of(scores: torch.Tensor) -> None:
    plain, filtered = (
        CoarseMatching(replace(TRANSPORT, prefilter=prefilter)).confidence(scores) for prefilter in (False, True)
    )
    assignment = log_optimal_transport(scores, torch.tensor(1.0), 3)
    kept = (assignment.argmax(dim=2)[:, :12, None] < 20) & (assignment.argmax(dim=1)[:, None, :20] < 12)
    assert kept.any()
    assert not kept.all()
    assert torch.equal(filtered, plain * kept)


@pytest.mark.parametrize("config", KINDS)
def test_masked_cells_might_as_well_not_exist(config: CoarseMatchingConfig, scores: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(1)
    used_a, used_b = (torch.rand(count, generator=generator) < 0.6 for count in (12, 20))
    with torch.inference_mode():
        matching = CoarseMatching(config)
        found = matching.confidence(scores, (used_a.expand(2, -1), used_b.expand(2, -1)))
        expected = matching.confidence(scores[:, used_a][:, :, used_b])
    torch.testing.assert_close(found[:, used_a][:, :, used_b], expected)
    assert not found[:, ~used_a].any()
    assert not found[:, :, ~used_b].any()


@pytest.mark.parametrize("config", KINDS)
def test_no_cell_to_use_means_no_match(config: CoarseMatchingConfig) -> None:
    """In one of two pairs; the other must not change."""
    tokens_a, tokens_b = _tokens(12, 0), _tokens(12, 1)
    masks = torch.ones(2, 12, dtype=torch.bool), torch.ones(2, 12, dtype=torch.bool)
    masks[1][0] = False
    with torch.inference_mode():
        matching = CoarseMatching(config)
        found, all_found = (matching(tokens_a, tokens_b, (3, 4), (3, 4), m) for m in (masks, None))
    second = all_found.batch == 1
    assert second.any()
    assert set(found.batch.tolist()) == {1}
    assert torch.equal(found.cell_b, all_found.cell_b[second])
    torch.testing.assert_close(found.confidence, all_found.confidence[second])


@pytest.mark.parametrize("config", KINDS)
def test_likelihood_is_the_logarithm_of_the_confidence(config: CoarseMatchingConfig) -> None:
    tokens_a, tokens_b = _tokens(12, 0) / 4, _tokens(20, 1) / 4
    batch, a, b = torch.tensor([0, 1, 1]), torch.tensor([3, 0, 11]), torch.tensor([19, 7, 2])
    matching = CoarseMatching(config)
    matched, unmatched = matching.log_likelihood(tokens_a, tokens_b, batch, a, b)
    confidence = matching.confidence(similarity(tokens_a, tokens_b, config.temperature))
    torch.testing.assert_close(matched, confidence[batch, a, b].log(), rtol=1e-4, atol=1e-4)
    assert len(unmatched) == (0 if config is ALL else 2 * (12 + 20) - 2 * 3)
