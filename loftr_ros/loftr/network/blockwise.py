"""Dual-softmax matching in blocks of rows, without storing the score matrix (paper, section 3.3).

The matrix has one score per pair of cells: 23 million at 640 x 480. Writing it to memory, and reading it for each step
of the two softmaxes and the maxima, would take longer than the rest of the network. Here each block of rows is
processed in the CPU cache, and only candidates are kept. A confidence is the product of two probabilities, so it
exceeds the threshold only if the softmax over the row does. That leaves fewer than 1/threshold candidates per row,
which include the maximum of every row and column with a confidence above the threshold. The result equals
`select_matches(dual_softmax(scores))`.

Column sums are accumulated relative to the largest score. If the sum of a column with a candidate underflows single
precision, because all its scores are far below the largest one, it is recomputed.

Tokens of one image have a large common component: scores are near 5000 and differ by 50. The means of both images are
subtracted before the product and their contribution is added in float32, so that rounded factors lose little accuracy.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from loftr_ros.loftr.network.precision import rounded_factors

_BLOCK = 2**20  # scores per block: 4 MiB, the L2 cache of two cores
_GROUP = 32  # columns
_MIN_SUM = 1e-30  # smaller column sums have lost precision in float32


@torch.no_grad()
def blockwise_matches(
    tokens_a: Tensor, tokens_b: Tensor, threshold: float, *, round_factors: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the mutual nearest neighbors with a confidence above the threshold.

    Args:
        tokens_a: (L, C) float32, already scaled by the temperature.
        tokens_b: (S, C) float32.
        threshold: above 0; lower values keep more candidates.
        round_factors: round the factors of products to half precision where that is faster; changes confidences by 1 %.

    Returns:
        Cells of a (M,), cells of b (M,), confidences (M,).
    """
    rows, columns = len(tokens_a), len(tokens_b)
    if rows == 0 or columns == 0:
        none = torch.zeros(0, dtype=torch.int64, device=tokens_a.device)
        return none, none, tokens_a.new_zeros(0)
    step = rows if tokens_a.is_cuda else max(_BLOCK // max(columns, 1), 1)
    mean_a, mean_b = tokens_a.mean(dim=0), tokens_b.mean(dim=0)
    tokens_a, tokens_b = tokens_a - mean_a, tokens_b - mean_b
    # Contribution of the means to each row and column; the softmax over a row is invariant to the former, and the
    # product of the means, common to all scores, cancels out.
    in_row, in_column = (tokens_a * mean_b).sum(dim=1), (tokens_b * mean_a).sum(dim=1)
    across = tokens_b.T.contiguous()
    # A reused buffer: newly allocated memory of this size is mapped page by page, which takes longer.
    buffer = tokens_a.new_full((step, -(-columns // _GROUP) * _GROUP), -torch.inf)
    column_sum, largest = tokens_b.new_zeros(columns), tokens_b.new_tensor(-torch.inf)
    kept: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for start in range(0, rows, step):
        block = tokens_a[start : start + step]
        padded = buffer[: len(block)]
        with rounded_factors() if round_factors else nullcontext():
            scores = torch.mm(block, across, out=padded[:, :columns])
        scores += in_column
        largest_of_group = padded.unflatten(1, (-1, _GROUP)).amax(dim=2)
        largest_of_row = largest_of_group.amax(dim=1)
        share = scores.sub_(largest_of_row[:, None]).exp_()  # softmax over the row, not yet normalized
        row_sum = share.sum(dim=1)
        top = largest_of_row + in_row[start : start + step]
        before, largest = largest, torch.maximum(largest, top.max())
        column_sum = column_sum * (before - largest).exp() + (top - largest).exp() @ share
        largest_share = largest_of_group.sub_(largest_of_row[:, None]).exp_()
        row, column = _above(padded, largest_share, threshold * row_sum)
        log_share = share[row, column].log()
        kept.append((row + start, column, log_share - row_sum[row].log(), log_share + top[row]))
    cell_a, cell_b, log_in_row, score = (torch.cat(parts) for parts in zip(*kept, strict=True))
    log_column_sum = column_sum.log() + largest
    underflowed = cell_b[~(column_sum[cell_b] > _MIN_SUM)].unique()
    with rounded_factors() if round_factors else nullcontext():
        log_column_sum[underflowed] = (
            _log_row_sums(tokens_b[underflowed], tokens_a.T.contiguous(), in_row) + in_column[underflowed]
        )
    confidence = (log_in_row + score - log_column_sum[cell_b]).exp()
    return mutual_nearest(cell_a, cell_b, confidence, threshold, rows, columns)


def mutual_nearest(
    cell_a: Tensor, cell_b: Tensor, confidence: Tensor, threshold: float, rows: int, columns: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Keep those of the cell pairs (K,) that are above the threshold and the best of their row and their column."""
    best_of_a = confidence.new_zeros(rows).scatter_reduce_(0, cell_a, confidence, "amax")
    best_of_b = confidence.new_zeros(columns).scatter_reduce_(0, cell_b, confidence, "amax")
    mutual = (confidence > threshold) & (confidence == best_of_a[cell_a]) & (confidence == best_of_b[cell_b])
    return cell_a[mutual], cell_b[mutual], confidence[mutual]


def _log_row_sums(tokens: Tensor, across: Tensor, offset: Tensor) -> Tensor:
    """Logarithm of the row sums of exp(tokens @ across + offset), each relative to the maximum of its row.

    Args:
        tokens: (R, C).
        across: (C, S).
        offset: (S,).
    """
    blocks = tokens.split(max(_BLOCK // across.shape[1], 1))
    return torch.cat([(block @ across).add_(offset).logsumexp(dim=1) for block in blocks])


def _above(values: Tensor, largest_of_group: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    """Indices where the values (R, S) exceed the limit (R,), searched in the groups whose maximum (R, G) does."""
    row, group = torch.where(largest_of_group >= limit[:, None])
    hit, place = torch.where(values.unflatten(1, (-1, _GROUP))[row, group] > limit[row, None])
    return row[hit], group[hit] * _GROUP + place
