"""Length of the baseline of a single camera from the depths that it has triangulated before."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry.robust import CAUCHY_SIGMAS, cauchy_cost

# Bound of the correction.
# numerical: interval of the search; the baseline is a robust fit already.
_MAX_LOG_RATIO = 0.1


def length_ratio(prior: Array, prior_sigma: Array, triangulated: Array, triangulated_sigma: Array) -> float:
    """Return the factor on the baseline that aligns inverse depths triangulated with it to prior ones.

    The slope of triangulated = ratio * prior, fitted with errors in both variables (Deming regression), Cauchy loss.
    Ordinary least squares takes the prior depths as exact and underestimates the slope by the squared ratio of error to
    depth: a fraction of a percent, but with the same sign at every keyframe.

    Args:
        prior, triangulated: (N,) inverse depths, NaN where unknown.
        prior_sigma, triangulated_sigma: (N,) their standard deviations.
    """
    both = np.isfinite(prior) & np.isfinite(triangulated)
    x, x_sigma, y, y_sigma = prior[both], prior_sigma[both], triangulated[both], triangulated_sigma[both]

    def cost(log_ratio: float) -> float:
        ratio = np.exp(log_ratio)
        deviations = (ratio * x - y) / np.hypot(ratio * x_sigma, y_sigma)
        return cauchy_cost((deviations / CAUCHY_SIGMAS) ** 2)

    best = minimize_scalar(cost, bounds=(-_MAX_LOG_RATIO, _MAX_LOG_RATIO), method="bounded")
    return float(np.exp(best.x))
