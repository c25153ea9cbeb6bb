"""Dual-softmax matches of large images, a few rows of the matrix of scores at a time (paper, section 3.3).

The matrix has a number for every pair of cells: 23 million at 640 x 480. Written out, and read again for every step of
the two softmaxes and the search for maxima, it costs more than all of the network. Here each block of rows is used up
while it is in the processor's cache, and only what may become a match is kept: a confidence is the product of two
probabilities, so it is above the threshold only where the softmax over the row is. That leaves fewer than 1/threshold
cells of each row, among which are the largest confidence of every row and column that has one above the threshold. So
the result is that of `select_matches(dual_softmax(scores))`.
"""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = 2**20  # scores in a block: 4 MiB, what two cores keep near
_GROUP = 32  # columns
_LEAST_SUM = 1e-30  # column sums below this have lost digits, in single precision


@torch.no_grad()
def blockwise_matches(tokens_a: Tensor, tokens_b: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor] | None:
    """Find the mutual nearest neighbours with a confidence above the threshold.

    Args:
        tokens_a: (L, C) float32 with the scale of the scores already in it.
        tokens_b: (S, C) float32.
        threshold: above 0; the lower, the more cells are kept on the way.

    Returns:
        Cells of a (M,), cells of b (M,), confidences (M,); None where there are no cells, or the best scores of columns
        are too far apart for sums in single precision (about 70), and the matrix has to be written out.
    """
    rows, columns = len(tokens_a), len(tokens_b)
    if rows == 0 or columns == 0:
        return None
    step = rows if tokens_a.is_cuda else max(_BLOCK // max(columns, 1), 1)
    across = tokens_b.T.contiguous()
    # Written again and again: fresh memory of this size comes from the system, page by page, and takes longer.
    buffer = tokens_a.new_zeros(step, -(-columns // _GROUP) * _GROUP)
    column_sum, largest = tokens_b.new_zeros(columns), tokens_b.new_tensor(-torch.inf)
    kept: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for start in range(0, rows, step):
        block = tokens_a[start : start + step]
        padded = buffer[: len(block)]
        scores = torch.mm(block, across, out=padded[:, :columns])
        top = scores.amax(dim=1)
        share = scores.sub_(top[:, None]).exp_()  # of the row's softmax, up to its sum
        row_sum = share.sum(dim=1)
        before, largest = largest, torch.maximum(largest, top.max())
        column_sum = column_sum * (before - largest).exp() + (top - largest).exp() @ share
        row, column = _above(padded, threshold * row_sum)
        log_share = share[row, column].log()
        kept.append((row + start, column, log_share - row_sum[row].log(), log_share + top[row]))
    if not (column_sum > _LEAST_SUM).all():
        return None
    cell_a, cell_b, log_in_row, score = (torch.cat(parts) for parts in zip(*kept, strict=True))
    confidence = (log_in_row + score - largest - column_sum.log()[cell_b]).exp()
    best_of_a = confidence.new_zeros(rows).scatter_reduce_(0, cell_a, confidence, "amax")
    best_of_b = confidence.new_zeros(columns).scatter_reduce_(0, cell_b, confidence, "amax")
    mutual = (confidence > threshold) & (confidence == best_of_a[cell_a]) & (confidence == best_of_b[cell_b])
    return cell_a[mutual], cell_b[mutual], confidence[mutual]


def _above(values: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns where the values (R, S) exceed the limit (R,): by the maxima of groups first, as few do."""
    groups = values.unflatten(1, (-1, _GROUP))
    row, group = torch.where(groups.amax(dim=2) > limit[:, None])
    hit, place = torch.where(groups[row, group] > limit[row, None])
    return row[hit], group[hit] * _GROUP + place
