"""Rigid transforms in SE(3) as (4, 4) matrices, and the covariance of their composition.

T_a_b is the pose of b in a: it maps points of b to a. A covariance is (6, 6) of (x, y, z, rot_x, rot_y, rot_z) as in
geometry_msgs/PoseWithCovariance: for T_a_b the position error is added in the axes of a, and the rotation error is
about the fixed axes of a:
    p = p_true + dp,  R = exp(dtheta) R_true.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from loftr_ros.arrays import Array

# Lower bound of the eigenvalues of a published covariance: relative to the largest, 5000 times the resolution of a
# double, and in m^2 or rad^2.
_MIN_EIGENVALUE_RATIO, _MIN_VARIANCE = 1e-12, 1e-12
# The (3, 3, 3) generators of so(3).
_GENERATORS = -np.cross(np.eye(3)[:, None], np.eye(3))


def transform(R: ArrayLike, p: ArrayLike) -> Array:
    """Return the (4, 4) transform with a (3, 3) rotation and a (3,) translation."""
    T = np.eye(4)
    T[:3, :3] = R
    T[:3, 3] = p
    return T


def from_quaternion(quaternion: Sequence[float] | Array, p: ArrayLike) -> Array:
    """Return the (4, 4) transform with the rotation of a quaternion x, y, z, w and a (3,) translation."""
    return transform(Rotation.from_quat(quaternion).as_matrix(), p)


def quaternion(T: Array) -> list[float]:
    """Return the unit quaternion x, y, z, w of the rotation of a (4, 4) transform."""
    numbers: list[float] = Rotation.from_matrix(T[:3, :3]).as_quat().tolist()
    return numbers


def inverse(T: Array) -> Array:
    """Return T_b_a, the (4, 4) inverse of T_a_b."""
    return transform(T[:3, :3].T, -T[:3, :3].T @ T[:3, 3])


def skew(v: Array) -> Array:
    """Return the (..., 3, 3) matrices with skew(v) @ w = v x w, for (..., 3) vectors."""
    return np.tensordot(v, _GENERATORS, 1)


def exp_rotation(v: ArrayLike) -> Array:
    """Return the (3, 3) rotation of a (3,) rotation vector, radians."""
    return np.asarray(cv2.Rodrigues(np.asarray(v, np.float64))[0])


def log_rotation(R: Array) -> Array:
    """Return the (3,) rotation vector of a (3, 3) rotation, radians."""
    axis = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]]) / 2.0
    sine, cosine = float(np.linalg.norm(axis)), (np.trace(R) - 1.0) / 2.0
    if cosine < 0.0:  # near 180 degrees the sine does not determine the axis
        return np.asarray(Rotation.from_matrix(R).as_rotvec())
    return np.asarray(axis * (np.arctan2(sine, cosine) / sine if sine > 0.0 else 1.0))


def are_rotations(R: Array, tolerance: float) -> NDArray[np.bool_]:
    """Return (...,) whether (..., 3, 3) matrices are rotations; a reflection is none, nor is NaN.

    Args:
        R: the matrices.
        tolerance: on the elements of R R^T - I, for rounding in files.
    """
    with np.errstate(all="ignore"):  # elements of any size
        shear = np.abs(R @ np.swapaxes(R, -1, -2) - np.eye(3)).max(axis=(-2, -1))
        return np.asarray((shear < tolerance) & (np.linalg.det(R) > 0))


def nearest_rotation(M: Array) -> Array:
    """Return the (3, 3) rotation R nearest to a matrix: the largest trace of R^T M (Kabsch)."""
    U, _, Vt = np.linalg.svd(M)
    U[:, 2] *= np.linalg.det(U @ Vt)  # no reflection
    return np.asarray(U @ Vt)


def exp(twist: Array) -> Array:
    """Return the (4, 4) motion of a body with the constant (6,) body twist (v, w) over one unit of time."""
    return transform(exp_rotation(twist[3:]), _left_jacobian(twist[3:]) @ twist[:3])


def log(T: Array) -> Array:
    """Return the (6,) constant body twist (v, w) of a (4, 4) motion over one unit of time."""
    w = log_rotation(T[:3, :3])
    return np.concatenate([np.linalg.solve(_left_jacobian(w), T[:3, 3]), w])


def _left_jacobian(w: Array) -> Array:
    """(3, 3) left Jacobian of SO(3): integral of exp(s w) over s (Barfoot, State Estimation for Robotics, eq. 8.33)."""
    angle, W = float(np.linalg.norm(w)), skew(w)
    if angle < 1e-4:
        return np.asarray(np.eye(3) + W / 2 + W @ W / 6)
    return np.asarray(np.eye(3) + (1 - np.cos(angle)) / angle**2 * W + (angle - np.sin(angle)) / angle**3 * W @ W)


def retract(T: Array, change: Array) -> Array:
    """Retraction: return T changed by a (6,) error (dp, dtheta) of the convention above."""
    return transform(exp_rotation(change[3:]) @ T[:3, :3], T[:3, 3] + change[:3])


def difference(T: Array, T_reference: Array) -> Array:
    """Return the (6,) error of T with respect to a reference: `T = retract(T_reference, difference)`."""
    rotation_vector = log_rotation(T[:3, :3] @ T_reference[:3, :3].T)
    return np.concatenate([T[:3, 3] - T_reference[:3, 3], rotation_vector])


def composed_covariance(
    T_a_b: Array,
    covariance_a_b: Array,
    T_b_c: Array,
    covariance_b_c: Array,
) -> Array:
    """Return the (6, 6) covariance of T_a_c = T_a_b T_b_c, to first order, for independent errors."""
    R = T_a_b[:3, :3]
    by_a_b, by_b_c = translation_adjoint(R @ T_b_c[:3, 3]), rotation_adjoint(R)
    covariance: Array = by_a_b @ covariance_a_b @ by_a_b.T + by_b_c @ covariance_b_c @ by_b_c.T
    return symmetric(covariance)


def step_covariance(
    T_a_b: Array,
    covariance_a_b: Array,
    T_a_c: Array,
    covariance_a_c: Array,
    gains_a_b: Array,
    gains_a_c: Array,
) -> Array:
    """Return the (6, 6) covariance of the motion T_b_c = T_b_a T_a_c, to first order, in the axes of c (body frame).

    Common errors of both poses enter as their difference and independent ones separately, so the result is a sum of
    positive semidefinite matrices, whatever was rounded or scaled before.

    Args:
        T_a_b, covariance_a_b: start of the motion.
        T_a_c, covariance_a_c: its end.
        gains_a_b, gains_a_c: (K, 6) sensitivities of both poses to K common error sources of unit variance, which are
            part of the covariances; where they exceed one, the independent part is zero.
    """
    end = rotation_adjoint(T_a_c[:3, :3].T)
    start = end @ translation_adjoint(T_a_c[:3, 3] - T_a_b[:3, 3])
    own_b = positive_part(covariance_a_b - gains_a_b.T @ gains_a_b)
    own_c = positive_part(covariance_a_c - gains_a_c.T @ gains_a_c)
    common = gains_a_b @ start.T - gains_a_c @ end.T
    covariance: Array = start @ own_b @ start.T + end @ own_c @ end.T + common.T @ common
    return symmetric(covariance)


def rotation_adjoint(R: Array) -> Array:
    """Return the (6, 6) matrix that rotates position and rotation errors by a (3, 3) R."""
    adjoint = np.zeros((6, 6))
    adjoint[:3, :3] = adjoint[3:, 3:] = R
    return adjoint


def translation_adjoint(shift: Array) -> Array:
    """Return the (6, 6) matrix that takes pose errors to a point of the body at a (3,) shift: dp + dtheta x shift."""
    adjoint = np.eye(6)
    adjoint[:3, 3:] = -skew(shift)
    return adjoint


def well_conditioned(covariance: Array) -> Array:
    """Return an (N, N) covariance with eigenvalues raised to lower bounds, relative and absolute.

    The margin keeps it positive definite after rounding and a change of frame. One within the bounds is unchanged.
    """
    values, vectors = np.linalg.eigh(covariance)
    least = max(_MIN_EIGENVALUE_RATIO * values[-1], _MIN_VARIANCE)
    if values[0] >= least:
        return covariance
    return symmetric((vectors * np.maximum(values, least)) @ vectors.T)


def positive_part(matrix: Array) -> Array:
    """Return the nearest positive semidefinite matrix (Frobenius norm): negative eigenvalues become zero."""
    values, vectors = np.linalg.eigh(symmetric(matrix))
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def symmetric(matrix: Array) -> Array:
    """Return the symmetric part of a matrix, without the asymmetry of rounding."""
    return np.asarray((matrix + matrix.T) / 2)
