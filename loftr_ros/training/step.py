"""Forward pass over a batch of pairs: features, losses and metrics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from loftr_ros.loftr.network.coarse_matching import CoarseMatches
from loftr_ros.loftr.network.model import FeatureMaps, LoFTR
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.scenes import ViewPair
from loftr_ros.training.losses import coarse_loss, fine_loss, focal_loss
from loftr_ros.training.supervision import TrueMatches, fine_targets, true_matches


@dataclass(frozen=True)
class StepResult:
    """Losses and metrics of a batch.

    Attributes:
        coarse, candidate, fine: the losses, scalars with gradients; that of the candidates is zero for networks that
            compare all cells.
        confidence: mean probability at the true matches.
        fine_error: median distance to the true point in the window, pixels.
        matches: number of true matches.
    """

    coarse: Tensor
    candidate: Tensor
    fine: Tensor
    confidence: Tensor
    fine_error: Tensor
    matches: int


def train_step(
    model: LoFTR, pairs: ViewPair, images: Tensor, draw: Draw, focal_gamma: float, fine_matches: int
) -> StepResult:
    """Compute the losses of B pairs.

    Args:
        model: in training mode.
        pairs: geometry of the pairs.
        images: (2B, 1, H, W), augmented images of all a, then of all b.
        draw: random generator that samples the matches to refine.
        focal_gamma: see `coarse_loss`.
        fine_matches: number of true matches to refine.
    """
    truth = true_matches(*pairs.geometry)
    a, b = _halves(model.extract(images))
    tokens = model.transform(a, b)
    log_confidence, log_unmatched = model.coarse_matching.log_likelihood(
        *tokens, truth.batch, truth.cell_a, truth.cell_b
    )

    log_candidates = model.coarse_matching.log_candidates(
        *tokens, (a.grid, b.grid), truth.batch, truth.cell_a, truth.cell_b
    )
    chosen = truth.pick(draw.integers(max(len(truth.batch), 1), fine_matches)) if len(truth.batch) else truth
    offsets = model.refine(a, b, tokens, _as_coarse(chosen))
    target = fine_targets(chosen, b.grid, model.window_radius)
    with torch.no_grad():
        error = (offsets.mean - target).norm(dim=1) * model.window_radius
    return StepResult(
        coarse=coarse_loss(log_confidence, log_unmatched, focal_gamma),
        candidate=focal_loss(log_candidates, focal_gamma),
        fine=fine_loss(offsets, target),
        confidence=log_confidence.detach().exp().mean(),
        fine_error=error.median() if len(error) else error.sum(),
        matches=len(truth.batch),
    )


def _halves(maps: FeatureMaps) -> tuple[FeatureMaps, FeatureMaps]:
    (coarse_a, coarse_b), (fine_a, fine_b) = maps.coarse.chunk(2), maps.fine.chunk(2)
    context_a, context_b = (None, None) if maps.context is None else maps.context.chunk(2)
    return FeatureMaps(coarse_a, fine_a, context=context_a), FeatureMaps(coarse_b, fine_b, context=context_b)


def _as_coarse(matches: TrueMatches) -> CoarseMatches:
    ones = torch.ones(len(matches.batch), device=matches.batch.device)
    return CoarseMatches(matches.batch, matches.cell_a, matches.cell_b, ones)
