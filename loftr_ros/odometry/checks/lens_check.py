"""Self-calibration of focal length and radial distortion, to detect a wrong lens calibration.

With a wrong calibration no pose explains the epipolar residuals of both the center and the corners. One robust
Gauss-Newton step estimates both intrinsics from the residuals of many motions, with the pose of each frame eliminated
(Schur complement): self-calibration (Faugeras, Luong and Maybank, ECCV 1992) with two unknowns. The focal length is not
observable in straight driving, and neither of them in pure rotation.
"""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.checks.epipolar import LENS, POSE, linearized, with_fixed_length
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.subsampling import subsampled
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.geometry.robust import cauchy_weights
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof

# Sliding window of motions, and number of matches used of each.
_WINDOW, _MAX_MATCHES = 200, 500
# Number of motions after which only every fifth is used, to bound the cost: one takes 0.3 ms.
_DENSE_MOTIONS, _CADENCE = 12, 5
# Number of motions for a warning: the sandwich covariance of fewer is too small (five motions of the kitchen gave 1.36
# times the focal length at 6.8 sigma, ten of the corridor 0.66 times at 5: standard deviations are twice as large at
# ten motions). Lower bound of the median parallax of a motion, pixels: below, epipolar lines are noise.
_MIN_MOTIONS, _MIN_PARALLAX_PX = 10, 2.0
# Prior standard deviations of log f and k1.
_PRIOR = np.array([0.5, 0.3])
# Limits, which a fault exceeds, and its significance in standard deviations. On all prefixes of the corridor, kitchen,
# desk, KITTI 06 and rendered room at strides 1 to 5, the smaller share of both limits is at most 0.71 (focal length,
# kitchen) and 0.78 (distortion, KITTI, whose calibration is known to be inaccurate: -6 % at 4.6 standard deviations).
_MAX_LOG_FOCAL = 0.12
_MAX_CORNER_SHIFT = 0.09  # relative to half the diagonal
_MIN_SIGNIFICANCE = 4.0
# Significance of the focal length from which on it inflates the covariance without a warning.
_MIN_DOUBT = 3.0
# Lower bound of the curvature of the Cauchy loss relative to that of IRLS: 0.4 for normal residuals.
_MIN_CURVATURE = 0.3


class LensCheck:
    """Accumulates the normal equations of log focal length and k1 over motions, and solves them.

    Attributes:
        warning: of a wrong calibration; None without a fault.
        length_sigma: relative standard deviation of all lengths if the calibration deviates significantly; else 0.
    """

    def __init__(self) -> None:
        """Start without motions."""
        self._information, self._gradients = np.zeros((0, 2, 2)), np.zeros((0, 2))  # of the last motions
        self._K = np.zeros((3, 3))
        self._eligible = 0
        self.warning: InputWarning | None = None
        self.length_sigma = 0.0

    def add_motion(self, matches: NormalizedMatches, camera: Camera, motion: RelativePoseEstimate) -> None:
        """Add a motion and its N matches; a changed camera matrix resets the estimate."""
        if camera.K is not self._K and not np.array_equal(camera.K, self._K):
            self._information, self._gradients = self._information[:0], self._gradients[:0]
            self._K, self.warning, self.length_sigma = camera.K, None, 0.0
        if motion.observable is ObservableDof.ROTATION_ONLY or motion.parallax_px < _MIN_PARALLAX_PX:
            return
        self._eligible += 1
        if len(self._gradients) >= _DENSE_MOTIONS and self._eligible % _CADENCE:
            return
        inliers = matches.select(subsampled(motion.inliers, _MAX_MATCHES))
        H, g = normal_equations(inliers, motion.T_keyframe_camera, motion.noise_px / camera.focal)
        self._information = np.concatenate([self._information[1 - _WINDOW :], H[None]])
        self._gradients = np.concatenate([self._gradients[1 - _WINDOW :], g[None]])
        if len(self._gradients) >= _MIN_MOTIONS:
            value, sigma = self._estimate()
            # Inflate: matches with one keyframe have correlated errors, which few motions do not show.
            inflation = 1.0 + _MIN_MOTIONS / len(self._gradients)
            self.warning = _warning(camera, value, inflation * sigma)
            # A relative error of the distance of an image point from the center is the same relative error of lengths.
            errors = abs(value[0]), abs(value[1]) * _half_diagonal(camera) ** 2 / camera.focal**2
            if self.warning:
                self.length_sigma = float(max(errors))
            else:  # clean sequences have at most 1.4 standard deviations of the focal length
                is_significant = errors[0] > _MIN_DOUBT * inflation * sigma[0]
                self.length_sigma = float(errors[0]) if is_significant else 0.0

    def _estimate(self) -> tuple[Array, Array]:
        """Return (log f, k1) and their standard deviations.

        Those of independent normal residuals, or of the scatter over motions (sandwich estimator, White 1982); the
        larger of both.
        """
        H, g = self._information, self._gradients
        inverse = np.linalg.inv(H.sum(axis=0) + np.diag(_PRIOR**-2.0))
        value = inverse @ g.sum(axis=0)
        scatter = inverse @ (g - H @ value).T
        return value, np.sqrt(np.maximum(np.diag(inverse), (scatter**2).sum(axis=1)))


def _warning(camera: Camera, value: Array, sigma: Array) -> InputWarning | None:
    log_focal, k1 = value
    half_diagonal = _half_diagonal(camera)
    corner = k1 * (half_diagonal / camera.focal) ** 2
    significance = np.abs(value) / sigma
    wrong = (np.abs([log_focal, corner]) > (_MAX_LOG_FOCAL, _MAX_CORNER_SHIFT)) & (significance > _MIN_SIGNIFICANCE)
    if not wrong.any():
        return None
    if np.argmax(significance * wrong) == 0:
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


def normal_equations(matches: NormalizedMatches, T_a_b: Array, noise: float) -> tuple[Array, Array]:
    """Return the (2, 2) information and (2,) gradient of (log f, k1), with the pose eliminated.

    Args:
        matches: N inliers of the pose.
        T_a_b: (4, 4).
        noise: standard deviation of a normalized coordinate of a match.
    """
    residual, J = linearized(matches, T_a_b)
    squared = residual * residual / noise**2
    weight = cauchy_weights(squared)
    weighted = J * (weight / noise**2)
    H, g = weighted @ J.T, -(weighted @ residual)
    curvature = float(((1.0 - squared) * weight) @ weight / weight.sum())
    H *= max(curvature, _MIN_CURVATURE)  # over-relaxation: IRLS overestimates the curvature
    pose = np.linalg.solve(with_fixed_length(H[POSE, POSE], T_a_b[:3, 3]), H[POSE, LENS]).T
    return H[LENS, LENS] - pose @ H[POSE, LENS], g[LENS] - pose @ g[POSE]
