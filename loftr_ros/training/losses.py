"""The loss of both levels, L = Lc + Lf (paper, section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor

from loftr_ros.loftr.fine_matching import FineOffsets

SMALLEST_DEVIATION = 0.05  # half windows; keeps the weight of a very sure match bounded


def coarse_loss(log_confidence: Tensor, focal_gamma: float) -> Tensor:
    """Negative log-likelihood of the true matches (equation 5), focused on the unsure ones.

    Args:
        log_confidence: (M,) logarithm of the dual-softmax probability at the true cell pairs.
        focal_gamma: exponent of the focal weight (arXiv 1708.02002); 0 gives the paper's plain likelihood.
    """
    confidence = log_confidence.exp()
    return -((1 - confidence) ** focal_gamma * log_confidence).sum() / max(len(log_confidence), 1)


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
