"""Deviation of a stereo rig from its calibration, estimated from the matches of one pair.

In rectified axes (x along the baseline, points on z = 1) a match (x, y) - (x', y') of a calibrated pair has y' = y.
Errors of the calibration are, for any depth,

    y' - y = pitch (1 + y'^2) - roll x' - yaw x' y' + scale y'

to first order in the angles (radians) and in the relative scale of the right image. If the images differ in time, the
baseline is not (1, 0, 0) but (1, t_y, t_z), and several times as long in fast motion: a relative pose of five degrees
of freedom, estimated from the epipolar constraint. Both are estimated by IRLS (Cauchy).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import homogeneous
from loftr_ros.odometry.geometry.robust import CAUCHY_SIGMAS, cauchy_weights, median, sigma_from_mad
from loftr_ros.odometry.geometry.stereo_rig import StereoRig

# Indices of the parameters of calibration and relative pose. Yaw mainly shifts points along the epipolar lines; its
# effect across them is also that of residual lens distortion.
PITCH, ROLL, SCALE, YAW = range(4)
ROTATION, SLANT = slice(0, 3), slice(3, 5)
# Prior standard deviations, radians and relative: weak, to regularize planar scenes, in which some parameters are not
# observable.
_SIGMAS_OF_CALIBRATION = np.array([0.05, 0.05, 0.02, 0.02])
_SIGMAS_OF_POSE = np.array([0.1, 0.1, 0.1, 3.0, 3.0])
# Number of Gauss-Newton steps, and length of a step at convergence, standard deviations: 4 steps for a calibrated pair.
_MAX_STEPS, _CONVERGED = 12, 0.3
# Number of matches used, by default.
_MAX_MATCHES = 400
# Number of RANSAC iterations for a homography.
_RANSAC_ITERATIONS = 200
# Noise floor of a match, pixels: errors are correlated between neighboring cells.
_MIN_NOISE_PX = 0.2


@dataclass(frozen=True)
class RigFit:
    """A robust least squares fit.

    Attributes:
        values: (M,) parameters.
        sigmas: (M,) standard deviations for independent errors of the matches.
        residuals_px: (N,) signed distances from the epipolar lines, pixels at the image center.
    """

    values: Array
    sigmas: Array
    residuals_px: Array

    @cached_property
    def median_px(self) -> float:
        """Median absolute residual."""
        return median(np.abs(self.residuals_px))

    def inlier_ratio(self, threshold_px: float) -> float:
        """Return the share of residuals within the threshold."""
        return np.count_nonzero(np.abs(self.residuals_px) <= threshold_px) / len(self.residuals_px)


@dataclass(frozen=True)
class RigDeviation:
    """Matches of a stereo pair in rectified axes, and the rig parameters that fit them.

    Attributes:
        left, right: (3, N) points in rectified axes, z = 1.
        half_size: (2,) half the width and height of the right image, on z = 1.
        focal: pixels per unit of the plane z = 1.
    """

    left: Array
    right: Array
    half_size: Array
    focal: float

    @staticmethod
    def of(matches: Matches, camera: Camera, rig: StereoRig, limit: int = _MAX_MATCHES) -> RigDeviation:
        """Rectify at most `limit` of the matches of a pair (a left, b right), outliers included; at least one."""
        sampled = subsampling(len(matches), limit)
        R_left, R_right = rig.rectification
        left = _rectified(camera, matches.points_a[sampled], R_left)
        right = _rectified(rig.right, matches.points_b[sampled], R_right)
        focal = rig.right.focal
        return RigDeviation(left, right, np.array([rig.right.width, rig.right.height]) / (2.0 * focal), focal)

    def select(self, chosen: NDArray[np.bool_]) -> RigDeviation:
        """Return some of the N matches."""
        return replace(self, left=self.left[:, chosen], right=self.right[:, chosen])

    @cached_property
    def disparities_px(self) -> Array:
        """(N,) disparities x - x', pixels."""
        return np.asarray(self.focal * (self.left[0] - self.right[0]))

    @cached_property
    def as_calibrated(self) -> RigFit:
        """Residuals of the calibration, without a fit."""
        return RigFit(np.zeros(0), np.zeros(0), self.focal * self._angle_per_distance * (self.right[1] - self.left[1]))

    @cached_property
    def recalibrated(self) -> RigFit:
        """Fit of the calibration errors (pitch, roll, scale, yaw)."""
        x, y, _ = self.right
        residuals = self._angle_per_distance * (y - self.left[1])
        J = self._angle_per_distance * np.stack([-1.0 - y * y, x, -y, x * y])
        return _fitted(lambda values: (residuals + values @ J, J), np.zeros(4), _SIGMAS_OF_CALIBRATION, self.focal)

    @cached_property
    def relative_pose(self) -> RigFit:
        """Fit of a free relative pose, as for images of different times.

        The values are the rotation vector and (t_y, t_z) of the right camera. The optimization starts from the rotation
        of `recalibrated`, because the first step from zero may be too long.
        """
        start = np.append(self.recalibrated.values[[PITCH, YAW, ROLL]], [0.0, 0.0])
        model = partial(_epipolar_distances, self.left, self.right, self._angle_per_distance)
        return _fitted(model, start, _SIGMAS_OF_POSE, self.focal)

    def share_on_plane(self, threshold_px: float) -> float:
        """Return the inlier ratio of the best homography; takes about 1 ms."""
        points = np.ascontiguousarray(self.left[:2].T), np.ascontiguousarray(self.right[:2].T)
        H, inliers = cv2.findHomography(*points, cv2.RANSAC, threshold_px / self.focal, maxIters=_RANSAC_ITERATIONS)
        return 0.0 if H is None else float(inliers.mean())

    @cached_property
    def _angle_per_distance(self) -> Array:
        """(N,) factors from distances along y on z = 1, which are unbounded in fisheye views, to angles."""
        x, y, _ = self.right
        return np.asarray(np.sqrt(1.0 + x * x) / (1.0 + x * x + y * y))


def subsampling(count: int, limit: int = _MAX_MATCHES) -> slice:
    """Return the slice of at most `limit` of `count` matches, evenly spaced."""
    return slice(None, None, max(-(-count // limit), 1))


def _fitted(
    model: Callable[[Array], tuple[Array, Array]],
    start: Array,
    prior_sigmas: Array,
    focal: float,
) -> RigFit:
    """Fit M parameters by IRLS Gauss-Newton (Cauchy), with the noise estimated from the residuals.

    Args:
        model: returns the (N,) residuals on z = 1 and their (M, N) Jacobian at (M,) values.
        start, prior_sigmas: (M,) initial values, and standard deviations of a zero-mean prior.
        focal: pixels per unit of the plane z = 1.
    """
    values, precision = start, prior_sigmas**-2
    residuals, J = model(values)
    for _ in range(_MAX_STEPS):
        noise = max(sigma_from_mad(residuals), _MIN_NOISE_PX / focal)
        weighted = J * (cauchy_weights((residuals / (noise * CAUCHY_SIGMAS)) ** 2) / noise**2)
        normal = weighted @ J.T + np.diag(precision)
        step = -np.linalg.solve(normal, weighted @ residuals + precision * values)
        values = values + step
        residuals, J = model(values)
        if step @ normal @ step < _CONVERGED**2:
            break
    return RigFit(values, np.sqrt(np.diag(np.linalg.inv(normal))), focal * residuals)


def _rectified(camera: Camera, points: NDArray[np.float32], R: Array) -> Array:
    """(3, N) points on z = 1 in rectified axes."""
    if camera.distortion_model == "none":  # one product
        of_pixels = R @ np.linalg.inv(camera.K)
        rotated: Array = of_pixels[:, :2] @ points.T.astype(np.float64) + of_pixels[:, 2:]
    else:
        rotated = R @ homogeneous(camera.normalize(points)).T
    return np.asarray(rotated / np.maximum(rotated[2], 1e-6))


def _epipolar_distances(
    left: Array,
    right: Array,
    angle_per_distance: Array,
    values: Array,
) -> tuple[Array, Array]:
    """(N,) distances of (3, N) right points from the epipolar lines of the left ones, and their (5, N) Jacobian.

    With the right camera at t = (1, *slant), rotated by R, the distance is R b . (t x a) / |(t x a)_xy|, which
    `angle_per_distance` converts to an angle.
    """
    R = se3.exp(np.append(np.zeros(3), values[ROTATION]))[:3, :3]
    t, rotated = np.append(1.0, values[SLANT]), R @ right
    lines = _cross(t, left)
    per_distance = angle_per_distance / np.maximum(np.hypot(lines[0], lines[1]), 1e-9)
    derivatives = np.vstack([_cross(rotated, lines), _cross(left, rotated)[1:]])
    return (rotated * lines).sum(axis=0) * per_distance, derivatives * per_distance


def _cross(a: Array, b: Array) -> Array:
    """(3, N) cross products of (3,) or (3, N) vectors; faster than np.cross."""
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
