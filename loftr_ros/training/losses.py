"""Losses of the coarse and fine level, L = Lc + Lf (paper, section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor

from loftr_ros.loftr.network.fine_matching import FineOffsets

MIN_DEVIATION = 0.05  # half windows; bounds the weight of matches with a sharp heat map


def coarse_loss(log_confidence: Tensor, log_unmatched: Tensor, focal_gamma: float) -> Tensor:
    """Negative log-likelihood of the ground truth (equation 5) with focal weights.

    With dual-softmax the paper uses the true matches only. With optimal transport it uses the loss of SuperGlue (arXiv
    1911.11763, equation 10), the sum over matches and over unmatched cells. Here, as in the authors' code, both terms
    have focal weights and are averaged separately, so that dustbins do not dominate in pairs with little overlap, and
    all cells without a true match count as unmatched.

    Args:
        log_confidence: (M,) logarithm of the confidence of the true matches.
        log_unmatched: (U,) logarithm of the dustbin probability of the unmatched cells; empty with dual-softmax.
        focal_gamma: exponent of the focal weight (arXiv 1708.02002); 0 for the unweighted likelihood.
    """
    return focal_loss(log_confidence, focal_gamma) + focal_loss(log_unmatched, focal_gamma)


def focal_loss(log_probability: Tensor, gamma: float) -> Tensor:
    """Focal loss, averaged; zero if empty."""
    # After few Sinkhorn iterations probabilities of dustbins may slightly exceed 1.
    log_probability = log_probability.clamp(max=0)
    weight = (-log_probability.expm1()).clamp(min=1e-6) ** gamma  # avoids an infinite gradient at zero
    return -(weight * log_probability).sum() / max(len(log_probability), 1)


def fine_loss(offsets: FineOffsets, target: Tensor) -> Tensor:
    """Squared distance weighted by the inverse variance of the heat map (equation 6).

    The weights are detached, so that the network cannot lower the loss by a wide heat map, and have mean 1.

    Args:
        offsets: offsets of M matches.
        target: (M, 2) true position in the window; targets outside of it are ignored.
    """
    inside = target.abs().amax(dim=1) < 1
    if not inside.any():
        return offsets.mean.sum() * 0.0
    weight = offsets.deviation.detach()[inside].clamp(min=MIN_DEVIATION) ** -2
    weight = weight / weight.mean()
    squared = ((offsets.mean[inside] - target[inside]) ** 2).sum(dim=1)
    return torch.mean(weight * squared)
