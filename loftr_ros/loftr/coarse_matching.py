"""Matches between coarse cells: dual-softmax, threshold, mutual nearest neighbours (paper, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from loftr_ros.loftr.config import CoarseMatchingConfig
from loftr_ros.loftr.transformer import Grid


@dataclass(frozen=True)
class CoarseMatches:
    """M matched cells of a batch of pairs.

    Attributes:
        batch: (M,) int64, index of the pair.
        cell_a, cell_b: (M,) int64, row-major indices into the coarse grids.
        confidence: (M,) float32.
    """

    batch: Tensor
    cell_a: Tensor
    cell_b: Tensor
    confidence: Tensor


def similarity(tokens_a: Tensor, tokens_b: Tensor, temperature: float) -> Tensor:
    """Scaled inner products of (B, L, C) and (B, S, C) tokens: (B, L, S), always in single precision.

    Half precision would round the larger scores so far that a likely and a certain match look alike.
    """
    scale = 1.0 / (tokens_a.shape[2] * temperature)
    with torch.autocast(tokens_a.device.type, enabled=False):
        return (tokens_a.float() * scale) @ tokens_b.float().transpose(1, 2)


def dual_softmax(scores: Tensor) -> Tensor:
    """Probability that a cell pair is a mutual match: softmax over rows times softmax over columns (equation 2)."""
    return scores.softmax(dim=1) * scores.softmax(dim=2)


def log_dual_softmax_at(scores: Tensor, batch: Tensor, cell_a: Tensor, cell_b: Tensor) -> Tensor:
    """Logarithm of `dual_softmax` at (M,) cell pairs only, without the whole matrix of probabilities."""
    rows, columns = scores.logsumexp(dim=2), scores.logsumexp(dim=1)
    return 2 * scores[batch, cell_a, cell_b] - rows[batch, cell_a] - columns[batch, cell_b]


@torch.no_grad()
def select_matches(confidence: Tensor, grid_a: Grid, grid_b: Grid, config: CoarseMatchingConfig) -> CoarseMatches:
    """Keep the mutual nearest neighbours above the threshold and inside the border.

    Args:
        confidence: (B, L, S) probabilities.
        grid_a, grid_b: rows and columns of the coarse grids, of L and S cells.
    """
    best, cell_of_a = confidence.max(dim=2)
    mutual = confidence.amax(dim=1).gather(1, cell_of_a) == best
    inside_a = _inside(grid_a, config.border, confidence.device)
    inside_b = _inside(grid_b, config.border, confidence.device)[cell_of_a]
    batch, cell_a = torch.where(mutual & (best > config.threshold) & inside_a & inside_b)
    return CoarseMatches(batch, cell_a, cell_of_a[batch, cell_a], best[batch, cell_a])


def _inside(grid: Grid, border: int, device: torch.device) -> Tensor:
    """(cells,) bool: which cells are at least `border` away from the rim."""
    inside = torch.zeros(grid, dtype=torch.bool, device=device)
    inside[border : grid[0] - border, border : grid[1] - border] = True
    return inside.flatten()
