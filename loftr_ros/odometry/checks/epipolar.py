"""Epipolar residuals of matches, linearized by pose, focal length, radial distortion and principal point.

With the line l = E a in image b, the line m = E' b in image a, and both points on them, the residual l . b / |l_xy|
changes by

- (l_z + m_z) / |l_xy| per unit of the logarithm of the focal length,
- -(|b|^2 l_z + |a|^2 m_z) / |l_xy| per unit of k1, where x (1 + k1 |x|^2) are the undistorted points,
- -(l_xy + m_xy) / |l_xy| per shift of the principal point on z = 1,
- (a x R b) . p / |l_xy| and (R b x n) . theta for the position of camera b and its rotation, in the axes of a.
"""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.geometry.robust import cauchy_weights, sigma_from_mad

# Rows of the Jacobian.
LENS, POSE = slice(0, 4), slice(4, 10)
# Number of steps, and length of a step at convergence, standard deviations; the loss after the fourth step is 1 % above
# that after the eighth (mean of 62 motions of the corridor, with its depth images and wrong ones).
_MAX_STEPS, _CONVERGED = 4, 0.3
# Over-relaxation: IRLS overestimates the curvature of the Cauchy loss.
_OVER_RELAXATION = 1.5
# Damping of unobservable parts of the pose, relative to the trace of the normal equations.
_DAMPING = 1e-9


def linearized(matches: NormalizedMatches, T_a_b: Array) -> tuple[Array, Array]:
    """Return the (N,) residuals and their (10, N) Jacobian by log focal length, k1, principal point and pose.

    Both are divided by the relative standard deviation across the line, from `NormalizedMatches.covariance_b`.
    """
    R, baseline = T_a_b[:3, :3], se3.skew(T_a_b[:3, 3])
    a, b = matches.columns_a, np.ones((3, len(matches)))
    b[:2] = matches.columns_b
    normal = baseline @ a  # of the epipolar planes, in the axes of a
    line_b = R.T @ normal
    length = np.maximum(np.sqrt(line_b[0] * line_b[0] + line_b[1] * line_b[1]), 1e-12)
    line_b /= length
    normal /= length
    error = _dot(line_b, b)
    b[:2] -= error * line_b[:2]  # project on the line, else the noise of the residuals is in the Jacobian
    b_in_a = R @ b
    line_a = -(baseline @ b_in_a) / length
    J = np.empty((10, len(matches)))
    J[0] = line_b[2] + line_a[2]
    J[1] = -(_dot(b[:2], b[:2]) * line_b[2] + _dot(a[:2], a[:2]) * line_a[2])
    J[2:4] = -(line_b[:2] + line_a[:2])
    _cross(a, b_in_a, out=J[4:7])
    J[4:7] /= length
    _cross(b_in_a, normal, out=J[7:])
    scale = 1.0 / np.sqrt(matches.variance(line_b[:2]))
    J *= scale
    return error * scale, J


def with_fixed_length(H: Array, position: Array) -> Array:
    """Return the (6, 6) normal equations of the pose with the unobservable length of the (3,) position fixed."""
    trace = H.trace()
    regular = H.copy()
    regular.ravel()[::7] += _DAMPING * trace  # the diagonal
    regular[:3, :3] += trace / (position @ position) * position[:, None] * position
    return regular


def refined(T_a_b: Array, matches: NormalizedMatches, min_noise: float) -> tuple[Array, float]:
    """Refine a (4, 4) pose on epipolar residuals without depth: IRLS Gauss-Newton (Cauchy) at fixed length.

    Returns:
        The (4, 4) pose, and the standard deviation of the normalized residuals, at least `min_noise`.
    """
    T, length = T_a_b, np.linalg.norm(T_a_b[:3, 3])
    for _ in range(_MAX_STEPS):
        error, J = linearized(matches, T)
        noise = max(sigma_from_mad(error), min_noise)
        weighted = J[POSE] * (cauchy_weights((error / noise) ** 2) / noise**2)
        H = with_fixed_length(weighted @ J[POSE].T, T[:3, 3])
        step = np.asarray(-_OVER_RELAXATION * np.linalg.solve(H, weighted @ error))
        T = se3.retract(T, step)
        T[:3, 3] *= length / np.linalg.norm(T[:3, 3])
        if step @ H @ step < _CONVERGED**2:
            break
    return T, noise


def _dot(a: Array, b: Array) -> Array:
    """(N,) scalar products of (k, N) vectors."""
    return np.asarray(np.einsum("kn,kn->n", a, b))


def _cross(a: Array, b: Array, out: Array) -> None:
    """Write the (3, N) cross products of (3, N) vectors."""
    for axis, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
        np.subtract(a[i] * b[j], a[j] * b[i], out=out[axis])
