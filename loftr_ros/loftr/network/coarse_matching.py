"""Matches between coarse cells: confidence, threshold, mutual nearest neighbors (paper, section 3.3)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from loftr_ros.loftr.network.blockwise import blockwise_matches
from loftr_ros.loftr.network.candidates import block_of, candidate_matches
from loftr_ros.loftr.network.config import CoarseMatchingConfig
from loftr_ros.loftr.network.optimal_transport import log_optimal_transport, log_unmatched, most_likely_unmatched
from loftr_ros.loftr.network.pooling import Blocks, Grid, Masks
from loftr_ros.loftr.network.precision import rounded_factors

# Below this threshold nearly every pair of cells is a candidate, and blockwise matching does not pay off.
_MIN_BLOCKWISE_THRESHOLD = 0.01


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


class CoarseMatching(nn.Module):
    """Dual-softmax or optimal transport, selected by the configuration; only the latter has a parameter.

    Attributes:
        round_factors: whether dual-softmax may round tokens to half precision in the product of the scores.
    """

    def __init__(self, config: CoarseMatchingConfig) -> None:
        super().__init__()
        self.config = config
        self.round_factors = False
        if config.kind == "optimal_transport":
            self.bin_score = nn.Parameter(torch.tensor(1.0))

    def forward(
        self, tokens_a: Tensor, tokens_b: Tensor, grid_a: Grid, grid_b: Grid, masks: Masks | None = None
    ) -> CoarseMatches:
        """Match the cells of (B, L, C) and (B, S, C) tokens; masked cells are not matched."""
        if self.config.kind == "dual_softmax" and self.config.threshold >= _MIN_BLOCKWISE_THRESHOLD:
            found = self._match_pairs(tokens_a, tokens_b, (grid_a, grid_b), masks)
            return inner_matches(found, grid_a, grid_b, self.config.border)
        scores = similarity(tokens_a, tokens_b, self.config.temperature)
        return select_matches(self.confidence(scores, masks), grid_a, grid_b, self.config)

    def strongest(
        self, tokens_a: Tensor, tokens_b: Tensor, grid_a: Grid, grid_b: Grid, masks: Masks | None, count: int
    ) -> CoarseMatches:
        """Match one pair with a result of fixed shape: the `count` most confident matches, in any order.

        Missing matches have confidence zero. If a token is not finite, all confidences are NaN.
        """
        scores = centered_similarity(tokens_a, tokens_b, self.config.temperature, self.round_factors)
        best, cell_b = _best_of_rows(self.confidence(scores, masks), grid_a, grid_b, self.config)
        confidence, cell_a = best[0].topk(count, sorted=False)
        nan_if_not_finite = 0 * (tokens_a.sum() + tokens_b.sum())
        return CoarseMatches(torch.zeros_like(cell_a), cell_a, cell_b[0, cell_a], confidence + nan_if_not_finite)

    def _match_pairs(
        self, tokens_a: Tensor, tokens_b: Tensor, grids: tuple[Grid, Grid], masks: Masks | None
    ) -> CoarseMatches:
        """Match one pair after the other without storing the matrix of probabilities."""
        scale = 1.0 / (tokens_a.shape[2] * self.config.temperature)
        # On a GPU the matrix of all scores takes less time than the selection.
        by_candidates = self._selects_candidates(grids) and not tokens_a.is_cuda
        match = self._match_candidates if by_candidates else self._match_blockwise
        found = []
        for pair, (a, b) in enumerate(zip(tokens_a.float() * scale, tokens_b.float(), strict=True)):
            used = None if masks is None else (masks[0][pair], masks[1][pair])
            cell_a, cell_b, confidence = match(a, b, grids, used)
            order = cell_a.argsort()
            found.append((torch.full_like(cell_a, pair), cell_a[order], cell_b[order], confidence[order]))
        return CoarseMatches(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _selects_candidates(self, grids: tuple[Grid, Grid]) -> bool:
        """Whether there are more blocks than candidates."""
        rows, columns = grids[1]
        return 0 < self.config.candidate_blocks < -(-rows // 2) * -(-columns // 2)

    def _match_candidates(
        self, a: Tensor, b: Tensor, grids: tuple[Grid, Grid], used: Masks | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        threshold, count = self.config.threshold, self.config.candidate_blocks
        return candidate_matches(a, b, grids, threshold, count, used, round_factors=self.round_factors)

    def _match_blockwise(
        self, a: Tensor, b: Tensor, grids: tuple[Grid, Grid], used: Masks | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        if used is None:
            return blockwise_matches(a, b, self.config.threshold, round_factors=self.round_factors)
        cells_a, cells_b = (torch.where(mask)[0] for mask in used)
        cell_a, cell_b, confidence = blockwise_matches(
            a[cells_a], b[cells_b], self.config.threshold, round_factors=self.round_factors
        )
        return cells_a[cell_a], cells_b[cell_b], confidence

    def confidence(self, scores: Tensor, masks: Masks | None = None) -> Tensor:
        """Match probability of every pair of cells, (B, L, S); zero for masked cells."""
        if self.config.kind == "dual_softmax":
            return dual_softmax(scores, masks)
        assignment = log_optimal_transport(scores, self.bin_score, self.config.sinkhorn_iterations, masks)
        confidence = assignment[:, :-1, :-1].exp()
        if self.config.prefilter:
            unmatched_a, unmatched_b = most_likely_unmatched(assignment)
            confidence = confidence.masked_fill(unmatched_a[:, :, None] | unmatched_b[:, None], 0.0)
        return confidence

    def log_likelihood(
        self, tokens_a: Tensor, tokens_b: Tensor, batch: Tensor, cell_a: Tensor, cell_b: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Log-likelihoods of the ground truth, for the loss.

        Returns:
            Those of the M true matches, (M,), and of the remaining cells of both images being unmatched, (U,); with
            dual-softmax, which does not model unmatched cells, U is 0.
        """
        scores = similarity(tokens_a, tokens_b, self.config.temperature)
        if self.config.kind == "dual_softmax":
            return log_dual_softmax_at(scores, batch, cell_a, cell_b), scores.new_zeros(0)
        assignment = log_optimal_transport(scores, self.bin_score, self.config.sinkhorn_iterations)
        return assignment[batch, cell_a, cell_b], log_unmatched(assignment, batch, cell_a, cell_b)

    def log_candidates(
        self,
        tokens_a: Tensor,
        tokens_b: Tensor,
        grids: tuple[Grid, Grid],
        batch: Tensor,
        cell_a: Tensor,
        cell_b: Tensor,
    ) -> Tensor:
        """Log-probabilities, one for each block with a true match, that its partner is among the blocks it matches.

        They are softmaxes over the scores that select the candidates, from a to b and from b to a.

        Returns:
            (K,); K is 0 without `candidate_blocks`.
        """
        if not self.config.candidate_blocks:
            return tokens_a.new_zeros(0)
        blocks_a, blocks_b = (
            Blocks(grid, 2, tokens.device).pool(tokens.float())
            for grid, tokens in zip(grids, (tokens_a, tokens_b), strict=True)
        )
        scores = similarity(blocks_a, blocks_b, self.config.temperature)
        true = torch.zeros_like(scores, dtype=torch.bool)
        true[batch, block_of(cell_a, grids[0]), block_of(cell_b, grids[1])] = True
        partners = scores.masked_fill(~true, torch.finfo(scores.dtype).min)
        logs = [(partners.logsumexp(dim=axis) - scores.logsumexp(dim=axis))[true.any(dim=axis)] for axis in (2, 1)]
        return torch.cat(logs)


def similarity(tokens_a: Tensor, tokens_b: Tensor, temperature: float) -> Tensor:
    """Scaled inner products of (B, L, C) and (B, S, C) tokens: (B, L, S), always in single precision.

    Half precision would round large scores too coarsely to distinguish likely from certain matches.
    """
    scale = 1.0 / (tokens_a.shape[2] * temperature)
    with torch.autocast(tokens_a.device.type, enabled=False):
        return (tokens_a.float() * scale) @ tokens_b.float().transpose(1, 2)


def centered_similarity(tokens_a: Tensor, tokens_b: Tensor, temperature: float, round_factors: bool) -> Tensor:
    """`similarity` with the mean token of each image subtracted first, so that factors may be rounded."""
    scale = 1.0 / (tokens_a.shape[2] * temperature)
    tokens_a, tokens_b = tokens_a.float() * scale, tokens_b.float()
    mean_a, mean_b = tokens_a.mean(dim=1, keepdim=True), tokens_b.mean(dim=1, keepdim=True)
    in_row, in_column = (tokens_a * mean_b).sum(dim=2), ((tokens_b - mean_b) * mean_a).sum(dim=2)
    with rounded_factors() if round_factors else nullcontext():
        scores = (tokens_a - mean_a) @ (tokens_b - mean_b).transpose(1, 2)
    return scores.add_(in_row[:, :, None]).add_(in_column[:, None])


def dual_softmax(scores: Tensor, masks: Masks | None = None) -> Tensor:
    """Probability that a pair of cells is a mutual match: softmax over rows times softmax over columns (equation 2).

    Masked cells are excluded from both softmaxes and get probability zero.
    """
    if masks is None:
        rows, columns = scores.logsumexp(dim=2, keepdim=True), scores.logsumexp(dim=1, keepdim=True)
        return (
            (2 * scores).sub_(rows).sub_(columns).exp_()
        )  # in place: the matrix of a large image may fill the memory of a small GPU
    ignored = ~(masks[0][:, :, None] & masks[1][:, None])
    # The lowest finite number instead of minus infinity, which would make fully masked rows NaN.
    scores = scores.masked_fill(ignored, torch.finfo(scores.dtype).min)
    return dual_softmax(scores).masked_fill(ignored, 0.0)


def log_dual_softmax_at(scores: Tensor, batch: Tensor, cell_a: Tensor, cell_b: Tensor) -> Tensor:
    """Logarithm of `dual_softmax` at (M,) pairs of cells only, without the matrix of probabilities."""
    rows, columns = scores.logsumexp(dim=2), scores.logsumexp(dim=1)
    return 2 * scores[batch, cell_a, cell_b] - rows[batch, cell_a] - columns[batch, cell_b]


@torch.no_grad()
def select_matches(confidence: Tensor, grid_a: Grid, grid_b: Grid, config: CoarseMatchingConfig) -> CoarseMatches:
    """Keep the mutual nearest neighbors above the threshold and inside the border.

    Args:
        confidence: (B, L, S) probabilities; cells with only zeros have no match.
        grid_a, grid_b: rows and columns of the coarse grids, of L and S cells.
    """
    best, cell_b = _best_of_rows(confidence, grid_a, grid_b, config)
    batch, cell_a = torch.where(best > 0)
    return CoarseMatches(batch, cell_a, cell_b[batch, cell_a], best[batch, cell_a])


def _best_of_rows(
    confidence: Tensor, grid_a: Grid, grid_b: Grid, config: CoarseMatchingConfig
) -> tuple[Tensor, Tensor]:
    """(B, L) confidence of the match of each cell of a, zero without match, and (B, L) the matched cell of b."""
    best, cell_b = confidence.max(dim=2)
    mutual = confidence.amax(dim=1).gather(1, cell_b) == best
    inside_a, inside_b = (_inside(grid, config.border, best.device) for grid in (grid_a, grid_b))
    return best * (mutual & (best > config.threshold) & inside_a & inside_b[cell_b]), cell_b


def most_confident(matches: CoarseMatches, count: int) -> CoarseMatches:
    """Keep the `count` most confident matches of one pair, in their order."""
    if len(matches.confidence) <= count:
        return matches
    index = matches.confidence.topk(count, sorted=False).indices.sort().values
    return CoarseMatches(matches.batch[index], matches.cell_a[index], matches.cell_b[index], matches.confidence[index])


def inner_matches(matches: CoarseMatches, grid_a: Grid, grid_b: Grid, border: int) -> CoarseMatches:
    """Drop matches with a cell closer than `border` to the edge of the grid."""
    inside_a, inside_b = (_inside(grid, border, matches.cell_a.device) for grid in (grid_a, grid_b))
    index = torch.where(inside_a[matches.cell_a] & inside_b[matches.cell_b])[0]
    return CoarseMatches(matches.batch[index], matches.cell_a[index], matches.cell_b[index], matches.confidence[index])


def _inside(grid: Grid, border: int, device: torch.device) -> Tensor:
    """(cells,) bool: cells at least `border` away from the edge of the grid."""
    inside = torch.zeros(grid, dtype=torch.bool, device=device)
    inside[border : grid[0] - border, border : grid[1] - border] = True
    return inside.flatten()
