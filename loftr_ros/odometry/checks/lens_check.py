"""Focal length and radial distortion that the epipolar geometry of many motions asks for.

A wrong lens leaves epipolar residuals that no pose explains: near the center they agree with one pose, in the corners
with another. `epipolar` tells how the focal length and the distortion change the residuals, so one step of a robust
Gauss-Newton over the pose of each frame, which is eliminated (Schur complement), and the two numbers, which all frames
have in common, estimates them: self-calibration (Faugeras, Luong and Maybank, ECCV 1992) with two unknowns. Straight
driving tells no focal length, and pure rotation tells neither.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.epipolar import LENS, POSE, linearized, with_fixed_length
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.thinning import thinned
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.geometry.robust import cauchy_weights
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof

# Sliding window of motions, and matches used of each.
_MOTIONS, _MANY = 200, 500
# After this number of motions only every third is used, which bounds the cost: one takes 0.4 ms.
_SOON, _EVERY = 12, 3
# Least number of motions for a warning: the sandwich covariance of fewer is too small (five motions of the kitchen gave
# 1.36 times the focal length at 6.8 sigma, ten of the corridor 0.66 times at 5: standard deviations are twice as large
# at ten motions). Least median parallax of a motion, pixels: below, epipolar lines are noise.
_LEAST_MOTIONS, _LEAST_PARALLAX_PX = 10, 2.0
# Prior standard deviations of log f and k1.
_PRIOR = np.array([0.5, 0.3])
# A fault exceeds these limits and this number of standard deviations. On all prefixes of the corridor, kitchen, desk,
# KITTI 06 and rendered room at strides 1 to 5, the smaller share of both limits is at most 0.71 (focal length, kitchen)
# and 0.78 (distortion, KITTI, whose calibration is known to be a little off: -6 % at 4.6 standard deviations).
_LEAST_LOG_FOCAL = 0.12
_LEAST_CORNER_SHIFT = 0.09  # of half the diagonal
_SIGNIFICANT = 4.0
# The curvature of the loss as a share of that of the reweighted residuals: 0.4 for normal residuals.
_LEAST_CURVATURE = 0.3


class LensCheck:
    """Accumulates the normal equations of the two numbers, and solves them."""

    def __init__(self) -> None:
        """Start with no evidence."""
        self._information: deque[NDArray[np.float64]] = deque(maxlen=_MOTIONS)
        self._gradients: deque[NDArray[np.float64]] = deque(maxlen=_MOTIONS)
        self._K = np.zeros((3, 3))
        self._eligible = 0
        self.warning: InputWarning | None = None
        self.length_sigma = 0.0  # as a share of all lengths, where there is a warning

    def add_motion(self, rays: NormalizedMatches, camera: Camera, motion: RelativePoseEstimate) -> None:
        """Take a motion and its N matches; another camera matrix discards the evidence."""
        if not np.array_equal(camera.K, self._K):
            self._information.clear()
            self._gradients.clear()
            self._K, self.warning, self.length_sigma = camera.K, None, 0.0
        if motion.observable is ObservableDof.ROTATION_ONLY or motion.parallax_px < _LEAST_PARALLAX_PX:
            return
        self._eligible += 1
        if len(self._gradients) >= _SOON and self._eligible % _EVERY:
            return
        inliers = rays.select(thinned(motion.inliers, _MANY))
        H, g = normal_equations(inliers, motion.T_keyframe_camera, motion.noise_px / camera.focal)
        self._information.append(H)
        self._gradients.append(g)
        if len(self._gradients) >= _LEAST_MOTIONS:
            value, sigma = self._estimate()
            # The matches with one keyframe err alike, which a few motions do not show.
            few = 1.0 + _LEAST_MOTIONS / len(self._gradients)
            self.warning = _judged(camera, value, few * sigma)
            # An image point that is off by a share of its distance from the center is off by that much in meters.
            errors = abs(value[0]), abs(value[1]) * _half_diagonal(camera) ** 2 / camera.focal**2
            self.length_sigma = float(max(errors)) if self.warning else 0.0

    def _estimate(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (log f, k1) and standard deviations.

        Those of normal, independent residuals, or those that the scatter of the motions shows (sandwich estimator,
        White 1982), whichever is larger.
        """
        H, g = np.array(self._information), np.array(self._gradients)
        inverse = np.linalg.inv(H.sum(axis=0) + np.diag(_PRIOR**-2.0))
        value = inverse @ g.sum(axis=0)
        scatter = inverse @ (g - H @ value).T
        return value, np.sqrt(np.maximum(np.diag(inverse), (scatter**2).sum(axis=1)))


def _judged(camera: Camera, value: NDArray[np.float64], sigma: NDArray[np.float64]) -> InputWarning | None:
    log_focal, k1 = value
    half_diagonal = _half_diagonal(camera)
    corner = k1 * (half_diagonal / camera.focal) ** 2
    significant = np.abs(value) / sigma
    wrong = (np.abs([log_focal, corner]) > (_LEAST_LOG_FOCAL, _LEAST_CORNER_SHIFT)) & (significant > _SIGNIFICANT)
    if not wrong.any():
        return None
    if np.argmax(significant * wrong) == 0:
        return InputWarning(
            InputFault.FOCAL_LENGTH,
            f"the motion of the images asks for a focal length about {np.exp(log_focal):.2f} times the calibration's "
            f"{camera.focal:.0f} px, or for another distortion: use the calibration of this lens, at this resolution",
        )
    return InputWarning(
        InputFault.DISTORTION,
        f"the motion of the images asks for a radial distortion k1 that differs by about {-k1:+.2f} from the "
        f"calibration's, {abs(corner) * half_diagonal:.0f} px in the corners: calibrate the lens, and check whether "
        "the images are rectified already",
    )


def _half_diagonal(camera: Camera) -> float:
    return float(np.hypot(camera.width, camera.height)) / 2.0


def normal_equations(
    rays: NormalizedMatches, T_a_b: NDArray[np.float64], noise: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (2, 2) information and (2,) gradient of (log f, k1), the pose eliminated.

    Args:
        rays: N matches that agree with the pose.
        T_a_b: (4, 4).
        noise: standard deviation of a coordinate of a match, on the plane z = 1.
    """
    residual, J = linearized(rays, T_a_b)
    residual, J = residual / noise, J / noise
    weight = cauchy_weights(residual**2)
    weighted = J * weight
    H, g = weighted @ J.T, -(weighted @ residual)
    curvature = float(((1.0 - residual**2) * weight**2).sum() / weight.sum())
    H *= max(curvature, _LEAST_CURVATURE)  # else the step would be too short
    pose = np.linalg.solve(with_fixed_length(H[POSE, POSE], T_a_b[:3, 3]), H[POSE, LENS]).T
    return H[LENS, LENS] - pose @ H[POSE, LENS], g[LENS] - pose @ g[POSE]
