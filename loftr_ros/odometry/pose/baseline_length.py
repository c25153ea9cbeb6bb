"""Length of the baseline of a single camera, by the depths that it knows already."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from loftr_ros.arrays import Array

# Scale of the Cauchy loss, standard deviations.
_LOSS_SCALE = 2.0
# A baseline that is already a robust fit is corrected by this at most.
_LARGEST_LOG_RATIO = 0.1


def length_ratio(
    known: Array,
    known_sigma: Array,
    measured: Array,
    measured_sigma: Array,
) -> float:
    """Return by how much a baseline must grow for the (N,) inverse depths triangulated with it to fit the known ones.

    A line through the origin, measured = ratio * known, fitted with errors in both (Deming), Cauchy loss. Least squares
    that take the known depths for exact come out short by the ratio of error to depth, squared: a fraction of a per
    cent, but the same way at every keyframe.
    """
    both = np.isfinite(known) & np.isfinite(measured)
    x, x_sigma, y, y_sigma = known[both], known_sigma[both], measured[both], measured_sigma[both]

    def cost(log_ratio: float) -> float:
        ratio = np.exp(log_ratio)
        deviations = (ratio * x - y) / np.hypot(ratio * x_sigma, y_sigma)
        return float(np.log1p((deviations / _LOSS_SCALE) ** 2).sum())

    best = minimize_scalar(cost, bounds=(-_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO), method="bounded")
    return float(np.exp(best.x))
