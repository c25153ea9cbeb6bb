"""Gates: whether two poses agree within their covariances."""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3

# 99.9 % of a chi-square distribution of six degrees of freedom.
_CHI2_6 = 22.46


def within_mahalanobis_gate(
    T_measured: Array,
    measured_covariance: Array,
    T_predicted: Array,
    predicted_covariance: Array,
) -> bool:
    """Mahalanobis gate, 99.9 %: two (4, 4) poses of the camera in one frame, with their (6, 6) covariances."""
    turn = se3.log_rotation(T_measured[:3, :3] @ T_predicted[:3, :3].T)
    surprise = np.concatenate([T_measured[:3, 3] - T_predicted[:3, 3], turn])
    covariance = se3.well_conditioned(measured_covariance + predicted_covariance)
    return bool(surprise @ np.linalg.solve(covariance, surprise) <= _CHI2_6)
