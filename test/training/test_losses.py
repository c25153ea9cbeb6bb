"""The losses against their equations, and their gradients against differences."""

import pytest
import torch

from loftr_ros.loftr.network.coarse_matching import log_dual_softmax_at
from loftr_ros.loftr.network.fine_matching import FineOffsets
from loftr_ros.loftr.network.optimal_transport import log_optimal_transport, log_unmatched
from loftr_ros.training.losses import coarse_loss, fine_loss


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


NONE = torch.zeros(0)
CELLS = tuple(torch.tensor(index) for index in ([0, 0, 1], [0, 3, 4], [5, 2, 1]))


def test_coarse_loss_without_focus_is_the_likelihood() -> None:
    probability = torch.tensor([0.1, 0.5, 0.9])
    assert coarse_loss(probability.log(), NONE, 0).item() == pytest.approx(-probability.log().mean().item())


def test_coarse_loss_focuses_on_the_unsure() -> None:
    probability = torch.tensor([0.1, 0.9])
    expected = -((1 - probability) ** 2 * probability.log()).mean()
    assert coarse_loss(probability.log(), NONE, 2).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_coarse_loss_at_the_bounds(gamma: float) -> None:
    """A certain match costs nothing; no match at all gives no loss, and a gradient of zero instead of none."""
    sure = torch.zeros(2, requires_grad=True)
    loss = coarse_loss(sure, NONE, gamma)
    loss.backward()
    assert loss.item() == 0
    assert sure.grad is not None
    assert sure.grad.isfinite().all()
    none = torch.zeros(0, requires_grad=True)
    assert coarse_loss(none, NONE, gamma).item() == 0
    coarse_loss(none, NONE, gamma).backward()


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_gradient_of_the_coarse_loss(scores: torch.Tensor, gamma: float) -> None:
    scores.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: coarse_loss(log_dual_softmax_at(s, *CELLS), NONE, gamma), scores)


def test_unmatched_cells_are_averaged_by_themselves() -> None:
    """Many unmatched cells weigh no more than few matches."""
    matched, unmatched = torch.tensor([0.2, 0.6]), torch.tensor([0.3, 0.5, 0.9, 0.9, 0.9])
    expected = -((1 - matched) ** 2 * matched.log()).mean() - ((1 - unmatched) ** 2 * unmatched.log()).mean()
    assert coarse_loss(matched.log(), unmatched.log(), 2).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_more_than_the_whole_cell_in_the_dustbin_is_certain(gamma: float) -> None:
    more = torch.tensor([1.0, 1.2]).log().requires_grad_()
    loss = coarse_loss(NONE, more, gamma)
    loss.backward()
    assert loss.item() == 0
    assert more.grad is not None
    assert more.grad.isfinite().all()


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_gradient_of_the_loss_of_optimal_transport(scores: torch.Tensor, gamma: float) -> None:
    inputs = scores.requires_grad_(), torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def loss(scores: torch.Tensor, bin_score: torch.Tensor) -> torch.Tensor:
        assignment = log_optimal_transport(scores, bin_score, 3)
        batch, a, b = CELLS
        return coarse_loss(assignment[batch, a, b], log_unmatched(assignment, *CELLS), gamma)

    assert torch.autograd.gradcheck(loss, inputs)


def test_optimal_transport_learns_the_assignment(scores: torch.Tensor) -> None:
    """Descending its loss gives the true pairs their mass, and the dustbin that of all other cells."""
    scores.requires_grad_()
    bin_score = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([scores, bin_score], lr=0.2)
    for _ in range(100):
        assignment = log_optimal_transport(scores, bin_score, 3)
        batch, a, b = CELLS
        loss = coarse_loss(assignment[batch, a, b], log_unmatched(assignment, *CELLS), 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    confidence = assignment[:, :-1, :-1].exp()
    truth = torch.zeros_like(confidence, dtype=torch.bool)
    truth[CELLS] = True
    assert confidence[truth].min() > 0.6
    assert confidence[~truth].max() < 0.1


def _offsets() -> tuple[FineOffsets, torch.Tensor]:
    mean = torch.tensor([[0.1, 0.2], [-0.5, 0.0], [0.0, 0.3]], dtype=torch.float64)
    deviation = torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64)
    target = torch.tensor([[0.0, 0.0], [-0.2, 0.4], [0.0, 0.0]], dtype=torch.float64)
    return FineOffsets(mean, deviation), target


def test_fine_loss_weighs_by_the_inverse_variance() -> None:
    offsets, target = _offsets()
    weights = [1 / 0.01, 1 / 0.04, 1 / 0.16]
    squared = [0.05, 0.25, 0.09]
    expected = sum(w * s for w, s in zip(weights, squared, strict=True)) / sum(weights)
    assert fine_loss(offsets, target).item() == pytest.approx(expected)


def test_fine_loss_leaves_out_what_lies_outside_of_the_window() -> None:
    offsets, target = _offsets()
    target[0, 1] = 1.0
    weights, squared = [1 / 0.04, 1 / 0.16], [0.25, 0.09]
    expected = sum(w * s for w, s in zip(weights, squared, strict=True)) / sum(weights)
    assert fine_loss(offsets, target).item() == pytest.approx(expected)


def test_gradient_of_the_fine_loss() -> None:
    offsets, target = _offsets()
    mean = offsets.mean.requires_grad_()
    assert torch.autograd.gradcheck(lambda m: fine_loss(FineOffsets(m, offsets.deviation), target), mean)


def test_being_unsure_does_not_lower_the_fine_loss() -> None:
    """The weights carry no gradient, and only their ratio counts."""
    offsets, target = _offsets()
    deviation = offsets.deviation.requires_grad_()
    mean = offsets.mean.requires_grad_()
    loss = fine_loss(FineOffsets(mean, deviation), target)
    loss.backward()
    assert deviation.grad is None
    assert mean.grad is not None
    doubled = fine_loss(FineOffsets(mean, 2 * deviation), target)
    assert doubled.item() == pytest.approx(loss.item())


def test_very_sure_match_does_not_take_all() -> None:
    offsets, target = _offsets()
    nearly = FineOffsets(offsets.mean, torch.tensor([1e-10, 0.05, 0.05], dtype=torch.float64))
    assert fine_loss(nearly, target).item() == pytest.approx((0.05 + 0.25 + 0.09) / 3)


def test_no_fine_match_gives_zero_with_a_gradient() -> None:
    mean = torch.zeros(2, 2, requires_grad=True)
    loss = fine_loss(FineOffsets(mean, torch.ones(2)), torch.full((2, 2), 1.5))
    loss.backward()
    assert loss.item() == 0
    assert mean.grad is not None
