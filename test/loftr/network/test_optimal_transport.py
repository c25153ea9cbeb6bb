"""Sinkhorn: its marginals, the scaling form of the same iteration, POT, and what masks leave."""

import pytest
import torch

from loftr_ros.loftr.network.optimal_transport import log_optimal_transport, log_unmatched, most_likely_unmatched

BIN = torch.tensor(0.7, dtype=torch.float64)
A, B = 6, 9  # cells


@pytest.fixture
def scores() -> torch.Tensor:
    return 3 * torch.randn(2, A, B, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def masses() -> tuple[torch.Tensor, torch.Tensor]:
    """One for every cell; the dustbin takes all of the other image (SuperGlue, equation 8)."""
    return torch.tensor([1.0] * A + [B], dtype=torch.float64), torch.tensor([1.0] * B + [A], dtype=torch.float64)


def kernel(scores: torch.Tensor) -> torch.Tensor:
    """The exponentials of the scores, dustbins included."""
    whole = torch.full((len(scores), A + 1, B + 1), BIN.item(), dtype=torch.float64)
    whole[:, :A, :B] = scores
    return whole.exp()


def test_marginals(scores: torch.Tensor) -> None:
    assignment = log_optimal_transport(scores, BIN, 200).exp()
    rows, columns = masses()
    torch.testing.assert_close(assignment.sum(dim=2), rows.expand(2, -1))
    torch.testing.assert_close(assignment.sum(dim=1), columns.expand(2, -1))


@pytest.mark.parametrize("iterations", [1, 3])
def test_columns_are_exact_and_rows_get_nearer(scores: torch.Tensor, iterations: int) -> None:
    rows, columns = masses()
    assignment = log_optimal_transport(scores, BIN, iterations).exp()
    torch.testing.assert_close(assignment.sum(dim=1), columns.expand(2, -1))
    error = (assignment.sum(dim=2) - rows).abs().max()
    assert error > (log_optimal_transport(scores, BIN, iterations + 1).exp().sum(dim=2) - rows).abs().max() > 0


@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_scaling_without_logarithms(scores: torch.Tensor, iterations: int) -> None:
    """The published weights were trained with three iterations: each of them counts, and their order."""
    rows, columns = masses()
    for item, assignment in zip(kernel(scores), log_optimal_transport(scores, BIN, iterations), strict=True):
        scale_b = torch.ones(B + 1, dtype=torch.float64)
        for _ in range(iterations):
            scale_a = rows / (item @ scale_b)
            scale_b = columns / (item.T @ scale_a)
        torch.testing.assert_close(assignment.exp(), scale_a[:, None] * item * scale_b)


def test_same_plan_as_pot(scores: torch.Tensor) -> None:
    ot = pytest.importorskip("ot", reason="POT is needed for the comparison")
    rows, columns = (mass.numpy() / (A + B) for mass in masses())
    ours = log_optimal_transport(scores, BIN, 500).exp()
    for item, plan in zip(kernel(scores), ours, strict=True):
        cost = -item.log().numpy()
        theirs = ot.sinkhorn(rows, columns, cost, reg=1.0, method="sinkhorn_log", numItermax=5000, stopThr=1e-12)
        torch.testing.assert_close(plan, (A + B) * torch.from_numpy(theirs), rtol=1e-6, atol=1e-9)


def test_large_scores_in_single_precision() -> None:
    """Exponentials of such scores are infinite; in log space they are scores like all others."""
    scores = 200 * torch.eye(20)[None]
    found = log_optimal_transport(scores, torch.tensor(1.0), 3)
    assert scores.exp().isinf().any()
    expected = log_optimal_transport(scores.double(), torch.tensor(1.0).double(), 3)
    torch.testing.assert_close(found.exp().double(), expected.exp(), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("iterations", [1, 3, 50])
def test_masked_cells_might_as_well_not_exist(scores: torch.Tensor, iterations: int) -> None:
    used_a = torch.tensor([True, False, True, True, False, True])
    used_b = torch.tensor([False, True, True, False, True, True, True, True, False])
    masks = used_a.expand(2, -1), used_b.expand(2, -1)
    found = log_optimal_transport(scores, BIN, iterations, masks).exp()
    kept_a, kept_b = torch.cat([used_a, torch.tensor([True])]), torch.cat([used_b, torch.tensor([True])])
    expected = log_optimal_transport(scores[:, used_a][:, :, used_b], BIN, iterations).exp()
    torch.testing.assert_close(found[:, kept_a][:, :, kept_b], expected)
    assert not found[:, ~kept_a].any()
    assert not found[:, :, ~kept_b].any()


@pytest.mark.parametrize(("any_a", "any_b"), [(False, True), (True, False), (False, False)])
def test_no_cell_to_use(scores: torch.Tensor, any_a: bool, any_b: bool) -> None:
    masks = torch.full((2, A), any_a), torch.full((2, B), any_b)
    found = log_optimal_transport(scores, BIN, 3, masks)
    assert not found.isnan().any()
    assert not found[:, :A, :B].exp().any()


def test_unmatched_cells_are_all_that_are_in_no_match(scores: torch.Tensor) -> None:
    assignment = log_optimal_transport(scores, BIN, 3)
    batch, a, b = torch.tensor([0, 0, 1]), torch.tensor([2, 5, 0]), torch.tensor([1, 8, 3])
    free_a = {(k, i) for k in range(2) for i in range(A)} - {(0, 2), (0, 5), (1, 0)}
    free_b = {(k, j) for k in range(2) for j in range(B)} - {(0, 1), (0, 8), (1, 3)}
    expected = [assignment[k, i, B] for k, i in sorted(free_a)] + [assignment[k, A, j] for k, j in sorted(free_b)]
    torch.testing.assert_close(log_unmatched(assignment, batch, a, b), torch.stack(expected))


def test_most_likely_unmatched(scores: torch.Tensor) -> None:
    """As the authors' filter: the dustbin is the largest entry of a row, or of a column."""
    assignment = log_optimal_transport(scores, BIN, 3)
    unmatched_a, unmatched_b = most_likely_unmatched(assignment)
    assert torch.equal(unmatched_a, assignment.argmax(dim=2)[:, :-1] == B)
    assert torch.equal(unmatched_b, assignment.argmax(dim=1)[:, :-1] == A)
    assert unmatched_a.any()
    assert not unmatched_a.all()


def test_gradient(scores: torch.Tensor) -> None:
    inputs = scores[:, :3, :4].clone().requires_grad_(), BIN.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda s, b: log_optimal_transport(s, b, 3), inputs)


def test_gradient_with_masks(scores: torch.Tensor) -> None:
    used = torch.tensor([[True, False, True]] * 2), torch.tensor([[True, True, False, True]] * 2)
    inputs = scores[:, :3, :4].clone().requires_grad_(), BIN.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda s, b: log_optimal_transport(s, b, 3, used).exp(), inputs)
