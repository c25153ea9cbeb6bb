"""Epipolar residuals of matches, linearized: what a change of the pose, or of the lens, would make of them.

With the line l = E a in image b, the line m = E' b in image a, and both points on them, the residual l . b / |l_xy|
changes by

- (l_z + m_z) / |l_xy| per unit of the logarithm of the focal length,
- -(|b|^2 l_z + |a|^2 m_z) / |l_xy| per unit of k1, where x (1 + k1 |x|^2) are the undistorted points,
- (a x R b) . p / |l_xy| and (R b x n) . theta for the position of camera b and its rotation, in the axes of a.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.geometry.robust import cauchy_weights, sigma_from_mad

# Rows of the derivatives.
LENS, POSE = slice(0, 2), slice(2, 8)
# Steps end when one is shorter than this, in standard deviations; the loss after the fourth is 1 % above that after
# the eighth (mean of 62 motions of the corridor, with its depth images and wrong ones).
_STEPS, _CONVERGED = 4, 0.3
# Steps are too short by about this, because the weights of a Cauchy loss stand for more curvature than it has.
_LENGTHENED = 1.5
# Keeps the normal equations regular, as a share of their trace, where the points leave a part of the pose open.
_RIDGE = 1e-9


def linearized(rays: NormalizedMatches, T_a_b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (N,) residuals and their (8, N) derivatives by log focal length, k1, position and rotation.

    Both are divided by the square root of `NormalizedMatches.covariance_b` across the line.
    """
    R, baseline = T_a_b[:3, :3], se3.skew(T_a_b[:3, 3])
    a, b = rays.columns_a, np.vstack([rays.columns_b, np.ones(len(rays))])
    normal = baseline @ a  # of the epipolar planes, in the axes of a
    line_b = R.T @ normal
    length = np.maximum(np.sqrt(line_b[0] ** 2 + line_b[1] ** 2), 1e-12)
    line_b, normal = line_b / length, normal / length
    error = (line_b * b).sum(axis=0)
    b[:2] -= error * line_b[:2]  # the nearest point of the line: residuals must not be in their own derivatives
    b_in_a = R @ b
    line_a = -(baseline @ b_in_a) / length
    J = np.empty((8, len(rays)))
    J[0] = line_b[2] + line_a[2]
    J[1] = -((b[:2] ** 2).sum(axis=0) * line_b[2] + (a[:2] ** 2).sum(axis=0) * line_a[2])
    J[2:5] = _cross(a, b_in_a) / length
    J[5:] = _cross(b_in_a, normal)
    scale = 1.0 / np.sqrt(rays.variance(line_b[:2]))
    return error * scale, J * scale


def with_fixed_length(H: NDArray[np.float64], position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (6, 6) normal equations of the pose, the length of the (3,) position, which is open, being kept."""
    trace = np.trace(H)
    regular = H + _RIDGE * trace * np.eye(6)
    regular[:3, :3] += trace / (position @ position) * np.outer(position, position)
    return regular


def refined(
    T_a_b: NDArray[np.float64], rays: NormalizedMatches, least_noise: float
) -> tuple[NDArray[np.float64], float]:
    """Refine a pose by its epipolar residuals alone: Gauss-Newton, reweighted (Cauchy), the length being kept.

    Returns:
        the (4, 4) pose, and the standard deviation of the residuals, at least `least_noise` (on the plane z = 1).
    """
    T, length = T_a_b, np.linalg.norm(T_a_b[:3, 3])
    for _ in range(_STEPS):
        error, J = linearized(rays, T)
        noise = max(sigma_from_mad(error), least_noise)
        weighted = J[POSE] * (cauchy_weights((error / noise) ** 2) / noise**2)
        H = with_fixed_length(weighted @ J[POSE].T, T[:3, 3])
        step = np.asarray(-_LENGTHENED * np.linalg.solve(H, weighted @ error))
        T = se3.retract(T, step)
        T[:3, 3] *= length / np.linalg.norm(T[:3, 3])
        if step @ H @ step < _CONVERGED**2:
            break
    return T, noise


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, N) cross products of (3, N) vectors."""
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
