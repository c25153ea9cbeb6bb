"""Estimates a constant offset of depth images from the motion, as from a wrong calibration or a delay.

A scale common to all depth images is not observable, an offset is: points at several depths move by the ratio of motion
and depth, and the depth of each changes by the same motion. So the offset is estimated from the reprojection errors of
points with depth and the errors of the depth predicted at the end of the motion, with the pose of each motion
eliminated (Schur complement). The error of lengths is that of the pose by the offset. A wrong focal length or principal
point changes neither in motions without rotation: it distorts the scene affinely.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.subsampling import subsampled
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.geometry.robust import cauchy_weights
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.two_view import TwoViewGeometry

# Sliding window of motions; number of motions after which only every eighth is used, to bound the cost: one takes
# 0.2 ms.
_WINDOW, _DENSE_MOTIONS, _CADENCE = 60, 10, 8
# Number of motions for an estimate; lower bounds of the median parallax, pixels, and of the number of points; number of
# points used.
_MIN_MOTIONS, _MIN_PARALLAX_PX, _MIN_POINTS, _MAX_POINTS = 6, 2.0, 40, 200
# Relative standard deviation of a depth, and prior one of the offset, meters.
_DEPTH_SIGMA, _PRIOR_M = 0.02, 0.5
# Number of motions for twice the standard deviation: matches with one keyframe have correlated errors, which few
# motions do not show.
_FEW_MOTIONS = 10
# Significance for a warning, and for an inflation of the covariance, standard deviations, and relative error of
# lengths. Recorded sequences (corridor, kitchen and desk at strides 1, 3 and 5) have at most 0.8 standard deviations,
# but the kitchen, whose depth images are not registered, 1.9 (2.7 from all motions); with 5 cm more in the corridor
# 7.1, with 10 cm 4.6 to 6.3 after ten motions.
_MIN_SIGNIFICANCE, _MIN_DOUBT, _MIN_LENGTH_ERROR = 4.0, 3.0, 0.02
# Over-relaxation: IRLS overestimates the curvature of the Cauchy loss.
_OVER_RELAXATION = 1.5
# Damping of the pose, relative to the trace of its normal equations.
_DAMPING = 1e-9


class DepthOffset:
    """Accumulates the normal equations of the offset over motions.

    Attributes:
        warning: of a significant offset; None without a fault.
        length_sigma: relative standard deviation of all lengths from a significant offset; else 0.
    """

    def __init__(self) -> None:
        """Start without motions."""
        self._terms = np.zeros((0, 3))  # per motion: information, gradient, and change of the length, 1/m
        self._eligible = 0
        self.warning: InputWarning | None = None
        self.length_sigma = 0.0

    def add_motion(
        self,
        depths: tuple[NDArray[np.float32], NDArray[np.float32]],
        matches: Matches,
        normalized: NormalizedMatches,
        focal: float,
        motion: RelativePoseEstimate,
    ) -> None:
        """Add a motion.

        Args:
            depths: (H, W) depth images of keyframe and frame, meters.
            matches: N matches, pixels.
            normalized: the same matches, normalized.
            focal: pixels.
            motion: from keyframe to frame.
        """
        if motion.geometry is not TwoViewGeometry.GENERAL or motion.parallax_px < _MIN_PARALLAX_PX:
            return
        self._eligible += 1
        if len(self._terms) >= _DENSE_MOTIONS and self._eligible % _CADENCE:
            return
        some = subsampled(motion.inliers, 2 * _MAX_POINTS)
        depth_a, depth_b = (
            _at(depth, points[some]) for depth, points in zip(depths, (matches.points_a, matches.points_b), strict=True)
        )
        valid = subsampled((depth_a > 0) & (depth_b > 0) & np.isfinite(depth_a + depth_b), _MAX_POINTS)
        if len(valid) < _MIN_POINTS:
            return
        terms = _normal_equations(
            normalized.columns_a[:, some[valid]],
            normalized.columns_b[:, some[valid]],
            (depth_a[valid], depth_b[valid]),
            motion.T_keyframe_camera,
            motion.noise_px / focal,
        )
        self._terms = np.vstack([self._terms[1 - _WINDOW :], terms])
        if len(self._terms) >= _MIN_MOTIONS:
            self._evaluate()

    def _evaluate(self) -> None:
        information, gradients, changes = self._terms.T
        variance = 1.0 / (information.sum() + _PRIOR_M**-2.0)
        offset = _OVER_RELAXATION * variance * gradients.sum()
        scatter = variance * np.linalg.norm(gradients - information * variance * gradients.sum())  # sandwich estimator
        sigma = _OVER_RELAXATION * max(variance**0.5, float(scatter)) * (1.0 + _FEW_MOTIONS / len(self._terms))
        length_error = abs(float(offset * np.median(changes)))
        significance = abs(offset) / sigma
        self.length_sigma = length_error if significance > _MIN_DOUBT else 0.0
        self.warning = None
        if significance > _MIN_SIGNIFICANCE and length_error > _MIN_LENGTH_ERROR:
            text = (
                f"depths are about {100 * abs(offset):.0f} cm too {'large' if offset > 0 else 'small'} for the motion "
                "of the images, at any distance: calibrate the depth camera (offset) and the focal length, and check "
                "that depth is of the time of the color image"
            )
            self.warning = InputWarning(InputFault.DEPTH_OFFSET, text)


def _at(depth: NDArray[np.float32], points: NDArray[np.float32]) -> Array:
    """(N,) depth at (N, 2) pixels."""
    height, width = depth.shape
    column, row = np.rint(points).astype(int).T
    return depth[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)].astype(np.float64)


def _normal_equations(a: Array, b: Array, depths: tuple[Array, Array], T_a_b: Array, noise: float) -> Array:
    """Return information and gradient of the offset, with the pose eliminated, and the relative length by the offset.

    Args:
        a, b: (3, N) and (2, N) points on z = 1.
        depths: (N,) measured in a and b, meters.
        T_a_b: (4, 4).
        noise: standard deviation of a coordinate of b.
    """
    depth_a, depth_b = depths
    R_b_a, position = T_a_b[:3, :3].T, T_a_b[:3, :3].T @ T_a_b[:3, 3]  # in the axes of b
    direction = R_b_a @ a
    x, y, z = direction * depth_a - position[:, None]
    z = np.maximum(z, 1e-3)
    x, y = x / z, y / z
    one, zero = np.ones_like(z), np.zeros_like(z)
    residuals = np.stack([b[0] - x, b[1] - y, np.log(np.maximum(depth_b / z, 1e-3))])
    # Derivatives by the position of b and its rotation, in the axes of b, and by the depth of a.
    by_pose = np.array(
        [
            [one / z, zero, -x / z, -x * y, 1.0 + x * x, -y],
            [zero, one / z, -y / z, -(1.0 + y * y), x * y, x],
            [zero, zero, one / z, y, -x, zero],
        ]
    )
    by_depth = -np.stack([direction[0] - x * direction[2], direction[1] - y * direction[2], direction[2]]) / z
    by_offset = -by_depth
    by_offset[2] -= 1.0 / depth_b
    J = np.concatenate([by_pose, by_offset[:, None], residuals[:, None]], axis=1)  # (3, 8, N)
    scale = np.array([noise, noise, _DEPTH_SIGMA])
    J /= scale[:, None, None]
    by_depth *= (_DEPTH_SIGMA * depth_a) / scale[:, None]
    # The error of the depth in a is a nuisance of each point, eliminated by Sherman-Morrison.
    along = (J * by_depth[:, None]).sum(axis=0) / np.sqrt(1.0 + (by_depth**2).sum(axis=0))
    squared = (J[:, 7] ** 2).sum(axis=0) - along[7] ** 2
    weights = cauchy_weights(squared / (2.0 * len(J)))
    H = ((J * weights) @ J.transpose(0, 2, 1)).sum(axis=0) - (along * weights) @ along.T
    regular = H[:6, :6] + _DAMPING * np.trace(H[:6, :6]) * np.eye(6)
    by_others = np.linalg.solve(regular, H[:6, 6:])
    reduced = H[6:, 6:] - H[6:, :6] @ by_others
    change = by_others[:3, 0] @ position / max(float(position @ position), 1e-12)
    return np.array([reduced[0, 0], -reduced[0, 1], change])
