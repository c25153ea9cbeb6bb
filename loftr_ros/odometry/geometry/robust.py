"""Robust statistics: the Cauchy loss of iteratively reweighted least squares (IRLS), and the scale of the noise."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array

_FloatT = TypeVar("_FloatT", np.float32, np.float64)

# Standard deviation of a normal distribution, as a multiple of its median absolute deviation.
# derived: 1 / Phi^-1(3/4), rounded, with the normal distribution function Phi.
MAD_TO_SIGMA = 1.4826
# Significance, standard deviations: larger deviations are outliers, and only larger values are above zero.
# assumed: the three-sigma rule, beyond which 0.27 % of normal errors lie.
SIGNIFICANT_SIGMAS = 3.0
# Scale of the Cauchy loss of residuals whose noise is known, standard deviations.
# assumed: below the 2.385 of 95 % efficiency with normal errors, because some matches are wrong.
CAUCHY_SIGMAS = 2.0
# A majority: no other set has more members.
# derived: of any whole.
MAJORITY = 1 / 2
# Share of a whole that is nearly all of it.
# assumed: matches that agree by chance, with an essential matrix or on another motion, are fewer than a tenth.
NEARLY_ALL = 0.9
# Share of a whole below which it is negligible.
# derived: 1 - NEARLY_ALL.
FEW = 0.1


def cauchy_weights(squared: NDArray[_FloatT]) -> NDArray[_FloatT]:
    """Return the IRLS weights 1 / (1 + r^2) of the Cauchy loss for squared residuals r^2, in units of its scale."""
    return np.asarray(1.0 / (1.0 + squared))


def cauchy_cost(squared: Array) -> float:
    """Return the Cauchy loss: the sum of log(1 + r^2) over squared residuals r^2, in units of its scale."""
    return float(np.log1p(squared).sum())


def median(values: NDArray[_FloatT]) -> float:
    """Return the median of (N,) values, NaN for none: `np.median` without its overhead, five times the work here."""
    count = len(values)
    if count == 0:
        return float("nan")
    middle = count // 2
    if count % 2:
        return float(np.partition(values, middle)[middle])
    ordered = np.partition(values, (middle - 1, middle))
    return float((ordered[middle - 1] + ordered[middle]) / 2)


def sigma_from_mad(residuals: Array) -> float:
    """Return the robust standard deviation of residuals about zero: the scaled median of their absolute values."""
    return MAD_TO_SIGMA * median(np.abs(residuals))
