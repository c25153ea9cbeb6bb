"""Rigid transforms as (4, 4) matrices, and the covariance of their composition.

A covariance here is (6, 6) of (x, y, z, rot_x, rot_y, rot_z) as in geometry_msgs/PoseWithCovariance: for T_a_b the
position error is added in the axes of a, the rotation error turns about the fixed axes of a:
    p = p_true + dp,  R = exp(dtheta) R_true.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from loftr_ros.arrays import Array

# Least eigenvalue of a published covariance: as a share of the largest, 5000 times the resolution of a double, and in
# m^2 or rad^2.
_LEAST_SHARE, _LEAST_VARIANCE = 1e-12, 1e-12
# The (3, 3, 3) matrices that take the cross product with each axis.
_GENERATORS = -np.cross(np.eye(3)[:, None], np.eye(3))


def transform(R: ArrayLike, p: ArrayLike) -> Array:
    """Return the (4, 4) transform of a (3, 3) rotation and a (3,) translation."""
    T = np.eye(4)
    T[:3, :3] = R
    T[:3, 3] = p
    return T


def inverse(T: Array) -> Array:
    """Return T_b_a of T_a_b."""
    return transform(T[:3, :3].T, -T[:3, :3].T @ T[:3, 3])


def skew(v: Array) -> Array:
    """Return the (..., 3, 3) matrices with skew(v) @ w = v x w, for (..., 3) vectors."""
    return np.tensordot(v, _GENERATORS, 1)


def exp_rotation(v: ArrayLike) -> Array:
    """Return the (3, 3) rotation by |v| radians about v."""
    return np.asarray(cv2.Rodrigues(np.asarray(v, np.float64))[0])


def log_rotation(R: Array) -> Array:
    """Return the (3,) rotation vector of a rotation, radians."""
    axis = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]]) / 2.0
    sine, cosine = float(np.linalg.norm(axis)), (np.trace(R) - 1.0) / 2.0
    if cosine < 0.0:  # near half a turn the sine does not tell the axis
        return np.asarray(Rotation.from_matrix(R).as_rotvec())
    return np.asarray(axis * (np.arctan2(sine, cosine) / sine if sine > 0.0 else 1.0))


def exp(twist: Array) -> Array:
    """Return the motion of a body that keeps the (6,) velocity (v, w), in its own axes, for one unit of time."""
    return transform(exp_rotation(twist[3:]), _left_jacobian(twist[3:]) @ twist[:3])


def log(T: Array) -> Array:
    """Return the (6,) constant body velocity (v, w) that makes the motion T in one unit of time."""
    w = log_rotation(T[:3, :3])
    return np.concatenate([np.linalg.solve(_left_jacobian(w), T[:3, 3]), w])


def _left_jacobian(w: Array) -> Array:
    """Integral of exp(s w) over s from 0 to 1 (Barfoot, State Estimation for Robotics, equation 8.33)."""
    angle, W = float(np.linalg.norm(w)), skew(w)
    if angle < 1e-4:
        return np.asarray(np.eye(3) + W / 2 + W @ W / 6)
    return np.asarray(np.eye(3) + (1 - np.cos(angle)) / angle**2 * W + (angle - np.sin(angle)) / angle**3 * W @ W)


def retract(T: Array, change: Array) -> Array:
    """Return T with the (6,) small change of the convention above added to it."""
    return transform(exp_rotation(change[3:]) @ T[:3, :3], T[:3, 3] + change[:3])


def composed_covariance(
    T_a_b: Array,
    covariance_a_b: Array,
    T_b_c: Array,
    covariance_b_c: Array,
) -> Array:
    """Return the covariance of T_a_c = T_a_b T_b_c, to first order, of independent errors."""
    R = T_a_b[:3, :3]
    lever = np.eye(6)
    lever[:3, 3:] = -skew(R @ T_b_c[:3, 3])
    turn = _of_both(R)
    covariance: Array = lever @ covariance_a_b @ lever.T + turn @ covariance_b_c @ turn.T
    return symmetric(covariance)


def step_covariance(
    T_a_b: Array,
    covariance_a_b: Array,
    T_a_c: Array,
    covariance_a_c: Array,
    gains_a_b: Array,
    gains_a_c: Array,
) -> Array:
    """Return the covariance of T_b_c = T_b_a T_a_c, to first order, turned to the axes of c: that of a body's motion.

    Errors that both poses have in common enter as their difference and the others by themselves, so the result is a sum
    of positive semidefinite matrices, whatever was rounded or scaled before.

    Args:
        T_a_b, covariance_a_b: where the motion starts.
        T_a_c, covariance_a_c: where it ends.
        gains_a_b, gains_a_c: (K, 6) errors of both poses by K common sources of unit variance. They are part of the
            covariances; of what is not, the covariance counts as zero.
    """
    turn = _of_both(T_a_c[:3, :3].T)
    lever = np.eye(6)
    lever[:3, 3:] = -skew(T_a_c[:3, 3] - T_a_b[:3, 3])
    start = turn @ lever
    own_b = positive_part(covariance_a_b - gains_a_b.T @ gains_a_b)
    own_c = positive_part(covariance_a_c - gains_a_c.T @ gains_a_c)
    common = gains_a_b @ start.T - gains_a_c @ turn.T
    covariance: Array = start @ own_b @ start.T + turn @ own_c @ turn.T + common.T @ common
    return symmetric(covariance)


def _of_both(R: Array) -> Array:
    """(6, 6) that turns position and rotation by R."""
    turn = np.zeros((6, 6))
    turn[:3, :3] = turn[3:, 3:] = R
    return turn


def well_conditioned(covariance: Array) -> Array:
    """Return a covariance (N, N) that is positive definite with a margin that rounding and a change of frame leave.

    Eigenvalues are raised to a share of the largest, and to the least variance that is ever meant; one that needs none
    of it is returned as it is.
    """
    values, vectors = np.linalg.eigh(covariance)
    least = max(_LEAST_SHARE * values[-1], _LEAST_VARIANCE)
    if values[0] >= least:
        return covariance
    return symmetric((vectors * np.maximum(values, least)) @ vectors.T)


def positive_part(matrix: Array) -> Array:
    """Return the nearest positive semidefinite matrix of a symmetric one: negative eigenvalues become zero."""
    values, vectors = np.linalg.eigh(symmetric(matrix))
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def symmetric(matrix: Array) -> Array:
    """Remove the asymmetry that rounding leaves in a covariance."""
    return np.asarray((matrix + matrix.T) / 2)
