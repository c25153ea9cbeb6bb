"""Planes by the inverse depths of points, which are linear in the coordinates of their rays."""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry.robust import cauchy_weights, sigma_from_mad

# Iterations of the robust fit, and damping relative to the trace of its normal equations.
_ITERATIONS, _DAMPING = 4, 1e-12


def fit_plane(columns: Array, rho: Array) -> Array:
    """Fit a plane to points by IRLS with Cauchy weights.

    Args:
        columns: (3, N) points on the plane z = 1.
        rho: (N,) their inverse depths.

    Returns:
        (3,) vector whose product with a point on z = 1 is the inverse depth of the plane there.
    """
    weights = np.ones(len(rho))
    for _ in range(_ITERATIONS):
        weighted = columns * weights
        H = weighted @ columns.T
        plane = np.linalg.solve(H + _DAMPING * H.trace() * np.eye(3), weighted @ rho)
        residuals = rho - plane @ columns
        weights = cauchy_weights((residuals / max(sigma_from_mad(residuals), 1e-9)) ** 2)
    return np.asarray(plane)
