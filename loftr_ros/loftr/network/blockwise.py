"""Dual-softmax matches of large images, a few rows of the matrix of scores at a time (paper, section 3.3).

The matrix has a number for every pair of cells: 23 million at 640 x 480. Written out, and read again for every step of
the two softmaxes and the search for maxima, it costs more than all of the network. Here each block of rows is used up
while it is in the processor's cache, and only what may become a match is kept: a confidence is the product of two
probabilities, so it is above the threshold only where the softmax over the row is. That leaves fewer than 1/threshold
cells of each row, among which are the largest confidence of every row and column that has one above the threshold. So
the result is that of `select_matches(dual_softmax(scores))`.

Sums over the columns are relative to the largest score of all. Where the best of a column is so far below that its sum
would have lost digits in single precision, and the column holds a candidate, the sum is taken again by itself.

All tokens of a network have much in common: scores near 5000 that differ by 50. The means of both images are taken out
of the products and their part is added in single precision, so that factors in half precision do little harm.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from loftr_ros.loftr.network.precision import rounded_factors

_BLOCK = 2**20  # scores in a block: 4 MiB, what two cores keep near
_GROUP = 32  # columns
_LEAST_SUM = 1e-30  # what is less, of a largest term of 1, has lost digits in single precision


@torch.no_grad()
def blockwise_matches(
    tokens_a: Tensor, tokens_b: Tensor, threshold: float, *, round_factors: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the mutual nearest neighbours with a confidence above the threshold.

    Args:
        tokens_a: (L, C) float32 with the scale of the scores already in it.
        tokens_b: (S, C) float32.
        threshold: above 0; the lower, the more cells are kept on the way.
        round_factors: multiply in half precision where that is faster; the confidences are a per cent off then.

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
    # By so much the scores of a row, and those of a column, exceed the products that are left; a row's softmax knows
    # nothing of the former. What they all have in common makes no difference.
    in_row, in_column = (tokens_a * mean_b).sum(dim=1), (tokens_b * mean_a).sum(dim=1)
    across = tokens_b.T.contiguous()
    # Written again and again: fresh memory of this size comes from the system, page by page, and takes longer.
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
        share = scores.sub_(largest_of_row[:, None]).exp_()  # of the row's softmax, up to its sum
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
    lost = cell_b[~(column_sum[cell_b] > _LEAST_SUM)].unique()
    with rounded_factors() if round_factors else nullcontext():
        log_column_sum[lost] = _log_row_sums(tokens_b[lost], tokens_a.T.contiguous(), in_row) + in_column[lost]
    confidence = (log_in_row + score - log_column_sum[cell_b]).exp()
    best_of_a = confidence.new_zeros(rows).scatter_reduce_(0, cell_a, confidence, "amax")
    best_of_b = confidence.new_zeros(columns).scatter_reduce_(0, cell_b, confidence, "amax")
    mutual = (confidence > threshold) & (confidence == best_of_a[cell_a]) & (confidence == best_of_b[cell_b])
    return cell_a[mutual], cell_b[mutual], confidence[mutual]


def _log_row_sums(tokens: Tensor, across: Tensor, offset: Tensor) -> Tensor:
    """Logarithm of the sums over the rows of exp(tokens @ across + offset), however far apart the rows are.

    Args:
        tokens: (R, C).
        across: (C, S).
        offset: (S,).
    """
    blocks = tokens.split(max(_BLOCK // across.shape[1], 1))
    return torch.cat([(block @ across).add_(offset).logsumexp(dim=1) for block in blocks])


def _above(values: Tensor, largest_of_group: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns where the values (R, S) exceed the limit (R,): looking into few groups only, (R, G)."""
    row, group = torch.where(largest_of_group >= limit[:, None])
    hit, place = torch.where(values.unflatten(1, (-1, _GROUP))[row, group] > limit[row, None])
    return row[hit], group[hit] * _GROUP + place
