"""The loss of both levels, L = Lc + Lf (paper, section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor

from loftr_ros.loftr.network.fine_matching import FineOffsets

SMALLEST_DEVIATION = 0.05  # half windows; keeps the weight of a very sure match bounded


def coarse_loss(log_confidence: Tensor, log_unmatched: Tensor, focal_gamma: float) -> Tensor:
    """Negative log-likelihood of what is true (equation 5), focused on the unsure.

    With dual-softmax the paper takes the true matches alone. With optimal transport it takes SuperGlue's loss (arXiv
    1911.11763, equation 10), the plain sum of the likelihoods of the matches and of the dustbins of what is unmatched.
    Here, as in the authors' code, each of the two is focused and averaged by itself, so that a pair with little overlap
    does not teach the dustbins alone, and all cells without a true match count as unmatched.

    Args:
        log_confidence: (M,) logarithm of the confidence at the true cell pairs.
        log_unmatched: (U,) logarithm of the dustbins' share of the other cells; empty with dual-softmax.
        focal_gamma: exponent of the focal weight (arXiv 1708.02002); 0 gives the plain likelihood.
    """
    return focal_loss(log_confidence, focal_gamma) + focal_loss(log_unmatched, focal_gamma)


def focal_loss(log_probability: Tensor, gamma: float) -> Tensor:
    """Negative log-likelihood of what is true, averaged with the focal weight; zero where nothing is."""
    # After few Sinkhorn iterations a dustbin may hold a little more than the whole cell: that is as good as certain.
    log_probability = log_probability.clamp(max=0)
    weight = (-log_probability.expm1()).clamp(min=1e-6) ** gamma  # a root of zero has no gradient
    return -(weight * log_probability).sum() / max(len(log_probability), 1)


def fine_loss(offsets: FineOffsets, target: Tensor) -> Tensor:
    """Squared distance weighted by the inverse variance of the heat map (equation 6).

    The weights are detached, so that the network does not lower the loss by being unsure, and average one.

    Args:
        offsets: of M matches.
        target: (M, 2) true place in the window; those outside of it are left out.
    """
    inside = target.abs().amax(dim=1) < 1
    if not inside.any():
        return offsets.mean.sum() * 0.0
    weight = offsets.deviation.detach()[inside].clamp(min=SMALLEST_DEVIATION) ** -2
    weight = weight / weight.mean()
    squared = ((offsets.mean[inside] - target[inside]) ** 2).sum(dim=1)
    return torch.mean(weight * squared)
