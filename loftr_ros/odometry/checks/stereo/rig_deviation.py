"""Where the right camera of a stereo pair really is, beside where the calibration puts it, from the matches alone.

In rectified axes (x along the baseline, points on z = 1) a match (x, y) - (x', y') of a calibrated pair has y' = y.
What is wrong with the calibration shows, whatever the depth, by

    y' - y = pitch (1 + y'^2) - roll x' - yaw x' y' + scale y'

to first order in the angles (radians) and in the share by which the right image is larger. If the images are of
different times, the baseline is not (1, 0, 0) but (1, t_y, t_z), and several times as long if the camera moves fast.
That is a relative pose of five degrees of freedom, fitted to the epipolar constraint itself. Both are fitted by least
squares, reweighted (Cauchy).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import homogeneous
from loftr_ros.odometry.geometry.robust import cauchy_weights, sigma_from_mad
from loftr_ros.odometry.geometry.stereo_rig import StereoRig

# Unknowns of the calibration in their order, and of the relative pose. What yaw adds across the epipolar lines is also
# what remains of the lens; mainly it moves points along them.
PITCH, ROLL, SCALE, YAW = range(4)
TURN, SLANT = slice(0, 3), slice(3, 5)
# Prior standard deviations, radians and shares: weak, they only regularize a planar scene, in which some unknowns are
# not observable.
_SIGMAS_OF_CALIBRATION = np.array([0.05, 0.05, 0.02, 0.02])
_SIGMAS_OF_POSE = np.array([0.1, 0.1, 0.1, 3.0, 3.0])
# Gauss-Newton stops at a step below this, standard deviations: after 4 steps for a good pair.
_ITERATIONS, _CONVERGED = 12, 0.3
# Largest number of matches used.
_ENOUGH = 400
# Largest number of homographies tried.
_HOMOGRAPHIES = 200
# Scale of the Cauchy loss, standard deviations.
_LOSS_SCALE = 2.0
# Noise floor of a match, pixels: errors are correlated between neighboring cells.
_LEAST_NOISE_PX = 0.2


@dataclass(frozen=True)
class RigFit:
    """A least squares fit.

    Attributes:
        values: the unknowns.
        sigmas: their standard deviations, errors of the matches being independent.
        residuals_px: (N,) distances that remain across the epipolar lines, pixels of the image center, signed.
    """

    values: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    residuals_px: NDArray[np.float64]

    @property
    def typical_px(self) -> float:
        """Median of the absolute residuals."""
        return float(np.median(np.abs(self.residuals_px)))

    def share_within(self, threshold_px: float) -> float:
        """Return the share of the matches that the fit explains."""
        return float((np.abs(self.residuals_px) <= threshold_px).mean())


@dataclass(frozen=True)
class RigDeviation:
    """What the matches of a pair say about the rig, from N of them.

    Attributes:
        left, right: (3, N) points in rectified axes, z = 1.
        half_size: (2,) x and y of the border of the right image, on the plane z = 1.
        focal: pixels per unit of that plane.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    half_size: NDArray[np.float64]
    focal: float

    @staticmethod
    def of(matches: Matches, camera: Camera, rig: StereoRig) -> RigDeviation:
        """Take the matches of a pair (a left, b right), outliers included; at least one."""
        few = evenly(len(matches))
        R_left, R_right = rig.rectification
        left = _rectified(camera, matches.points_a[few], R_left)
        right = _rectified(rig.right, matches.points_b[few], R_right)
        focal = rig.right.focal
        return RigDeviation(left, right, np.array([rig.right.width, rig.right.height]) / (2.0 * focal), focal)

    @property
    def disparities_px(self) -> NDArray[np.float64]:
        """(N,) x - x', pixels."""
        return np.asarray(self.focal * (self.left[0] - self.right[0]))

    @cached_property
    def as_calibrated(self) -> RigFit:
        """Nothing fitted."""
        return RigFit(np.zeros(0), np.zeros(0), self.focal * self._per_tangent * (self.right[1] - self.left[1]))

    @cached_property
    def turned(self) -> RigFit:
        """Fitted with what a calibration may get wrong: values are (pitch, roll, scale, yaw)."""
        x, y, _ = self.right
        miss, J = self._per_tangent * (y - self.left[1]), self._per_tangent * np.stack([-1.0 - y * y, x, -y, x * y])
        return _fitted(lambda values: (miss + values @ J, J), np.zeros(4), _SIGMAS_OF_CALIBRATION, self.focal)

    @cached_property
    def displaced(self) -> RigFit:
        """Fitted with any relative pose, as of images of different times: values are a `TURN` and a `SLANT`.

        The turn is the rotation vector of the right camera, the slant (t_y, t_z). It starts at the turn of the
        calibration that fits, because from zero the first step may be too long.
        """
        start = np.append(self.turned.values[[PITCH, YAW, ROLL]], [0.0, 0.0])
        model = partial(_epipolar_distances, self.left, self.right, self._per_tangent)
        return _fitted(model, start, _SIGMAS_OF_POSE, self.focal)

    def share_on_plane(self, threshold_px: float) -> float:
        """Return the share of the matches that the best homography explains, about 1 ms: not for every pair."""
        points = np.ascontiguousarray(self.left[:2].T), np.ascontiguousarray(self.right[:2].T)
        H, inliers = cv2.findHomography(*points, cv2.RANSAC, threshold_px / self.focal, maxIters=_HOMOGRAPHIES)
        return 0.0 if H is None else float(inliers.mean())

    @cached_property
    def _per_tangent(self) -> NDArray[np.float64]:
        """(N,) angles by distances along y on the plane z = 1, which grow without bounds in a fisheye's view."""
        x, y, _ = self.right
        return np.asarray(np.sqrt(1.0 + x * x) / (1.0 + x * x + y * y))


def evenly(count: int) -> slice:
    """Return the slice that thins `count` matches evenly."""
    return slice(None, None, max(-(-count // _ENOUGH), 1))


def _fitted(
    model: Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]],
    start: NDArray[np.float64],
    prior_sigmas: NDArray[np.float64],
    focal: float,
) -> RigFit:
    """Fit M unknowns by reweighted Gauss-Newton steps; the loss has the scale of the residuals.

    The model gives (N,) residuals on the plane z = 1 and their (M, N) derivatives.
    """
    values, precision = start, prior_sigmas**-2
    residuals, J = model(values)
    for _ in range(_ITERATIONS):
        noise = max(sigma_from_mad(residuals), _LEAST_NOISE_PX / focal)
        weighted = J * (cauchy_weights((residuals / (noise * _LOSS_SCALE)) ** 2) / noise**2)
        normal = weighted @ J.T + np.diag(precision)
        step = -np.linalg.solve(normal, weighted @ residuals + precision * values)
        values = values + step
        residuals, J = model(values)
        if step @ normal @ step < _CONVERGED**2:
            break
    return RigFit(values, np.sqrt(np.diag(np.linalg.inv(normal))), focal * residuals)


def _rectified(camera: Camera, points: NDArray[np.float32], R: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, N) points on the plane z = 1 of the rectified axes."""
    turned = R @ homogeneous(camera.normalize(points)).T
    return np.asarray(turned / np.maximum(turned[2], 1e-6))


def _epipolar_distances(
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    per_tangent: NDArray[np.float64],
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) distances of (3, N) right points from the epipolar lines of the left ones, and their (5, N) derivatives.

    With the right camera at t = (1, *slant), turned by R, the distance is R b . (t x a) / |(t x a)_xy|, and an angle by
    `per_tangent`.
    """
    R = se3.exp(np.append(np.zeros(3), values[TURN]))[:3, :3]
    t, turned = np.append(1.0, values[SLANT]), R @ right
    lines = _cross(t, left)
    per_distance = per_tangent / np.maximum(np.hypot(lines[0], lines[1]), 1e-9)
    derivatives = np.vstack([_cross(turned, lines), _cross(left, turned)[1:]])
    return (turned * lines).sum(axis=0) * per_distance, derivatives * per_distance


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, N) cross products of (3,) or (3, N) vectors; faster than np.cross."""
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
