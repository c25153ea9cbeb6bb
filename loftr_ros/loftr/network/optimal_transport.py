"""Optimal transport between coarse cells by Sinkhorn iterations (paper, section 3.3; arXiv 1911.11763, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

LOG_ZERO = -1e9  # logarithm of zero: finite, so that differences are not NaN


def log_optimal_transport(
    scores: Tensor, bin_score: Tensor, iterations: int, masks: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Assign each cell to the cells of the other image and a dustbin, by Sinkhorn iterations in the log domain.

    Every cell has mass one; the mass of a dustbin is the number of cells of the other image. Rows and columns are
    normalized alternately, columns last, so that the column sums are exact after any number of iterations.

    Args:
        scores: (B, L, S).
        bin_score: () score of leaving a cell unmatched.
        iterations: normalizations of rows and columns.
        masks: (B, L) and (B, S) bool, cells to use; the others have no mass.

    Returns:
        (B, L + 1, S + 1) logarithm of the assignment; last row and last column are the dustbins.
    """
    used_a, used_b = masks or (torch.ones_like(scores[:, :, 0]), torch.ones_like(scores[:, 0]))
    rows, columns = _log_masses(used_a, used_b, scores.dtype), _log_masses(used_b, used_a, scores.dtype)
    scores = _with_dustbins(scores, bin_score)
    scale_b = columns.clamp(max=0)  # uniform over the used cells
    for _ in range(iterations):
        scale_a = rows - (scores + scale_b[:, None]).logsumexp(dim=2)
        scale_b = columns - (scores + scale_a[:, :, None]).logsumexp(dim=1)
    return scores + scale_a[:, :, None] + scale_b[:, None]


def _log_masses(used: Tensor, others: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, L + 1): logarithms of the masses of the cells and the dustbin of one image."""
    masses = torch.cat([used.to(dtype), others.to(dtype).sum(dim=1, keepdim=True)], dim=1)
    return masses.log().clamp(min=LOG_ZERO)


def _with_dustbins(scores: Tensor, bin_score: Tensor) -> Tensor:
    batch, rows, columns = scores.shape
    scores = torch.cat([scores, bin_score.expand(batch, rows, 1)], dim=2)
    return torch.cat([scores, bin_score.expand(batch, 1, columns + 1)], dim=1)


def log_unmatched(assignment: Tensor, batch: Tensor, cell_a: Tensor, cell_b: Tensor) -> Tensor:
    """Logarithm of the dustbin mass of all cells of both images without a match: (U,).

    Args:
        assignment: (B, L + 1, S + 1), from `log_optimal_transport`.
        batch, cell_a, cell_b: (M,) the matched cells.
    """
    in_bin_a, in_bin_b = assignment[:, :-1, -1], assignment[:, -1, :-1]
    free_a = torch.ones_like(in_bin_a, dtype=torch.bool)
    free_b = torch.ones_like(in_bin_b, dtype=torch.bool)
    free_a[batch, cell_a] = False
    free_b[batch, cell_b] = False
    return torch.cat([in_bin_a[free_a], in_bin_b[free_b]])


def most_likely_unmatched(assignment: Tensor) -> tuple[Tensor, Tensor]:
    """Find cells with more mass in the dustbin than in any other cell: (B, L) and (B, S) bool."""
    cells = assignment[:, :-1, :-1]
    return assignment[:, :-1, -1] > cells.amax(dim=2), assignment[:, -1, :-1] > cells.amax(dim=1)
