"""Dual-softmax matching of cells inside candidate blocks only: approximate, at a fraction of the cost.

The averages of blocks of 2 x 2 cells are compared first, with a sixteenth of the products. Each block of a is then
compared cell by cell with its best blocks of b. The other blocks must count in the sums of both softmaxes, or
confidences would be too high where structure repeats: the exact sum over the candidates is divided by their share in
the sum over all blocks. (Adding the other blocks by their own scores would not do: the score of an average is an
underestimate, by Jensen's inequality.) With all blocks as candidates the result equals `blockwise_matches`.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.loftr.network.blockwise import mutual_nearest
from loftr_ros.loftr.network.pooling import Grid
from loftr_ros.loftr.network.precision import rounded_factors

_CELLS = 4  # of a block
_ROUNDING = 1e-6  # relative error of sums in float32
_MIN_SUM = 1e-30  # smaller sums have lost precision in float32


class _BlockedCells:
    """The tokens of an image in blocks of 2 x 2 cells.

    Attributes:
        tokens: (N, 4, C), zero where there is no cell: beyond an odd edge, or masked.
        cells: (N, 4) row-major index of each cell.
        used: (N, 4) bool, whether there is a cell.
        count: (N,) float32, number of cells.
        average: (N, C) of the cells.
    """

    def __init__(self, tokens: Tensor, grid: Grid, used: Tensor | None) -> None:
        rows, columns = grid
        odd = rows % 2, columns % 2
        if used is None:
            used = torch.ones(rows * columns, dtype=torch.bool, device=tokens.device)
        tokens = tokens.masked_fill(~used[:, None], 0.0)
        maps = F.pad(tokens.unflatten(0, grid), (0, 0, 0, odd[1], 0, odd[0]))
        self.tokens = _blocked(maps)
        self.used = _blocked(F.pad(used.view(grid), (0, odd[1], 0, odd[0]))[..., None])[..., 0]
        row, column = (torch.arange(size, device=tokens.device) for size in maps.shape[:2])
        self.cells = _blocked((row[:, None] * columns + column)[..., None])[..., 0]
        self.count = self.used.sum(dim=1, dtype=torch.float32)
        self.average = self.tokens.sum(dim=1) / self.count.clamp(min=1)[:, None]


@torch.no_grad()
def candidate_matches(
    tokens_a: Tensor,
    tokens_b: Tensor,
    grids: tuple[Grid, Grid],
    threshold: float,
    candidates: int,
    masks: tuple[Tensor, Tensor] | None = None,
    *,
    round_factors: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the mutual nearest neighbors with a confidence above the threshold.

    Args:
        tokens_a: (L, C) float32, already scaled by the temperature.
        tokens_b: (S, C) float32.
        grids: rows and columns of both images.
        threshold: above 0.
        candidates: blocks of b per block of a.
        masks: (L,) and (S,) bool, cells to use.
        round_factors: see `blockwise_matches`.

    Returns:
        Cells of a (M,), cells of b (M,), confidences (M,).
    """
    used_a, used_b = masks or (None, None)
    if (used_a is not None and not used_a.any()) or (used_b is not None and not used_b.any()):
        none = torch.zeros(0, dtype=torch.int64, device=tokens_a.device)
        return none, none, tokens_a.new_zeros(0)
    # Common components are subtracted, as in `blockwise_matches`.
    mean_a, mean_b = (
        (tokens if used is None else tokens[used]).mean(dim=0)
        for tokens, used in ((tokens_a, used_a), (tokens_b, used_b))
    )
    a = _BlockedCells(tokens_a - mean_a, grids[0], used_a)
    b = _BlockedCells(tokens_b - mean_b, grids[1], used_b)
    in_row = (a.tokens @ mean_b).masked_fill(~a.used, -torch.inf)
    in_column = (b.tokens @ mean_a).masked_fill(~b.used, -torch.inf)

    with rounded_factors() if round_factors else nullcontext():
        coarse = a.average @ b.average.T
        coarse += (b.average @ mean_a).masked_fill(b.count == 0, -torch.inf)
        best, block_b = coarse.topk(min(candidates, len(b.count)), dim=1)
        chosen = b.tokens.flatten(1).index_select(0, block_b.flatten())
        scores = torch.bmm(a.tokens, chosen.view(len(block_b), -1, tokens_b.shape[1]).transpose(1, 2))
    scores += in_column[block_b].flatten(1)[:, None]  # (N, 4, 4 * candidates)

    # The share of the candidates in the sums over all blocks of a row and of a column.
    top = best[:, :1]
    share = coarse.sub_(top).exp_()
    share_of_best = (best - top).exp()
    in_block = top[:, 0] + a.average @ mean_b
    weight = (in_block - in_block.max()).exp() * a.count
    of_row = _fraction((share_of_best * b.count[block_b]).sum(dim=1), share @ b.count)
    of_column = _fraction(_summed(share_of_best * weight[:, None], block_b, len(b.count)), weight @ share)

    largest = scores.amax(dim=2, keepdim=True)
    share = (scores - largest).exp()
    row_sum = share.sum(dim=2) / of_row[:, None]
    total = scores + in_row[..., None]
    log_column_sum = _log_column_sums(total, block_b, len(b.count)) - of_column.log().repeat_interleave(_CELLS)

    block, cell, place = torch.where((share > threshold * row_sum[..., None]) & a.used[..., None])
    score = total[block, cell, place]
    log_in_row = scores[block, cell, place] - largest[block, cell, 0] - row_sum[block, cell].log()
    column = block_b[block, place // _CELLS] * _CELLS + place % _CELLS
    confidence = (log_in_row + score - log_column_sum[column]).exp()
    return mutual_nearest(
        a.cells[block, cell], b.cells.flatten()[column], confidence, threshold, len(tokens_a), len(tokens_b)
    )


def _log_column_sums(total: Tensor, block_b: Tensor, blocks: int) -> Tensor:
    """(4 N,) logarithm of the sum over the candidates of each column.

    Sums are relative to the largest score of their column, so that they do not underflow.
    """
    steps = torch.arange(_CELLS, device=total.device)
    columns = (block_b[..., None] * _CELLS + steps).flatten(1)[:, None].expand_as(total).flatten()
    scores, lowest = total.flatten(), torch.finfo(total.dtype).min
    largest = scores.new_full((blocks * _CELLS,), lowest).scatter_reduce_(0, columns, scores, "amax")
    return _summed((scores - largest[columns]).exp_(), columns, len(largest)).log() + largest


def _summed(values: Tensor, index: Tensor, count: int) -> Tensor:
    return values.new_zeros(count).scatter_add_(0, index.flatten(), values.flatten())


def _fraction(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole; one where the rest is rounding error or all sums underflow."""
    known = (part > _MIN_SUM) & (whole - part > _ROUNDING * whole)
    return torch.where(known, part / whole.clamp(min=_MIN_SUM), 1.0)


def block_of(cells: Tensor, grid: Grid) -> Tensor:
    """Row-major index of the block of 2 x 2 cells that each cell is in."""
    return cells // grid[1] // 2 * -(-grid[1] // 2) + cells % grid[1] // 2


def _blocked(maps: Tensor) -> Tensor:
    """(H, W, C) with even sides to (H / 2 * W / 2, 4, C)."""
    return maps.unflatten(1, (-1, 2)).unflatten(0, (-1, 2)).transpose(1, 2).flatten(2, 3).flatten(0, 1)
