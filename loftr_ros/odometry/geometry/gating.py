"""Gates: whether two poses agree within their covariances."""

from __future__ import annotations

import numpy as np
from scipy.special import chdtri

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3

# Probability that a pose passes whose errors have the stated covariances.
# assumed: a false rejection costs a frame, and one in a thousand does not matter.
_PROBABILITY = 0.999
# Upper bound of the squared Mahalanobis distance of two poses.
# derived: quantile of the chi-square distribution with six degrees of freedom, 22.46.
_MAX_SQUARED_DISTANCE = float(chdtri(6, 1.0 - _PROBABILITY))


def within_mahalanobis_gate(
    T_measured: Array, measured_covariance: Array, T_predicted: Array, predicted_covariance: Array
) -> bool:
    """Return whether two independent poses agree: chi-square test of their Mahalanobis distance at 99.9 %.

    Args:
        T_measured, T_predicted: (4, 4) poses of the camera in one frame.
        measured_covariance, predicted_covariance: (6, 6) in the axes of that frame, see `se3`.
    """
    innovation = se3.difference(T_measured, T_predicted)
    covariance = se3.well_conditioned(measured_covariance + predicted_covariance)
    return bool(innovation @ np.linalg.solve(covariance, innovation) <= _MAX_SQUARED_DISTANCE)
