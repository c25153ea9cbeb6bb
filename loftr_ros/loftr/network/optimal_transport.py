"""Optimal transport between coarse cells by Sinkhorn iterations (paper, section 3.3; arXiv 1911.11763, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

NOTHING = -1e9  # for the logarithm of zero: finite, so that its differences are numbers


def log_optimal_transport(
    scores: Tensor, bin_score: Tensor, iterations: int, masks: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Share the mass of each cell among the cells of the other image and a dustbin.

    Every cell has a mass of one to give away, and a dustbin takes as much as the other image has cells. Rows and
    columns are scaled to their masses in turn, columns last, so that those are exact after any number of iterations.

    Args:
        scores: (B, L, S).
        bin_score: () score of leaving a cell unmatched.
        iterations: of rows and columns.
        masks: (B, L) and (B, S) bool, cells to use; the others have no mass, as if they did not exist.

    Returns:
        (B, L + 1, S + 1) logarithm of the assignment; the last row and the last column are the dustbins.
    """
    used_a, used_b = masks or (torch.ones_like(scores[:, :, 0]), torch.ones_like(scores[:, 0]))
    rows, columns = _log_masses(used_a, used_b, scores.dtype), _log_masses(used_b, used_a, scores.dtype)
    scores = _with_dustbins(scores, bin_score)
    scale_b = columns.clamp(max=0)  # one for all that takes part
    for _ in range(iterations):
        scale_a = rows - (scores + scale_b[:, None]).logsumexp(dim=2)
        scale_b = columns - (scores + scale_a[:, :, None]).logsumexp(dim=1)
    return scores + scale_a[:, :, None] + scale_b[:, None]


def _log_masses(used: Tensor, others: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, L + 1): logarithms of the masses of the cells, and of the dustbin, of one image."""
    masses = torch.cat([used.to(dtype), others.to(dtype).sum(dim=1, keepdim=True)], dim=1)
    return masses.log().clamp(min=NOTHING)


def _with_dustbins(scores: Tensor, bin_score: Tensor) -> Tensor:
    batch, rows, columns = scores.shape
    scores = torch.cat([scores, bin_score.expand(batch, rows, 1)], dim=2)
    return torch.cat([scores, bin_score.expand(batch, 1, columns + 1)], dim=1)


def log_unmatched(assignment: Tensor, batch: Tensor, cell_a: Tensor, cell_b: Tensor) -> Tensor:
    """Logarithm of the mass in the dustbins of all cells of both images that are in none of M matches: (U,).

    Args:
        assignment: (B, L + 1, S + 1), from `log_optimal_transport`.
        batch, cell_a, cell_b: (M,) the matches.
    """
    in_bin_a, in_bin_b = assignment[:, :-1, -1], assignment[:, -1, :-1]
    free_a = torch.ones_like(in_bin_a, dtype=torch.bool)
    free_b = torch.ones_like(in_bin_b, dtype=torch.bool)
    free_a[batch, cell_a] = False
    free_b[batch, cell_b] = False
    return torch.cat([in_bin_a[free_a], in_bin_b[free_b]])


def likeliest_unmatched(assignment: Tensor) -> tuple[Tensor, Tensor]:
    """Tell which cells give more to the dustbin than to any other cell: (B, L) and (B, S) bool."""
    cells = assignment[:, :-1, :-1]
    return assignment[:, :-1, -1] > cells.amax(dim=2), assignment[:, -1, :-1] > cells.amax(dim=1)
