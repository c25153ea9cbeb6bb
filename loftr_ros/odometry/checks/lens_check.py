"""Self-calibration of focal length, radial distortion and principal point, to detect a wrong lens calibration.

With a wrong calibration no pose explains the epipolar residuals of both the center and the corners. One robust
Gauss-Newton step estimates the intrinsics from the residuals of many motions, with the pose of each frame eliminated
(Schur complement): self-calibration (Faugeras, Luong and Maybank, ECCV 1992) with four unknowns. Few motions do not
distinguish focal length and principal point, but contradict a calibration with one of them wrong, so each is tested as
if the other were known. Without rotation, either only distorts the scene affinely, and depth images with it: they are
not observable. In pure rotation none of the unknowns is.
"""

from __future__ import annotations

import math

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
_WINDOW, _MAX_MATCHES = 200, 250
# Number of motions after which only every fifth is used, to bound the cost: one takes 0.2 ms. Of motions with a
# rotation of at least 0.02 radians, which alone show the focal length, that many are used before. Every third of the
# used motions leads to a new estimate.
_DENSE_MOTIONS, _DENSE_ROTATIONS, _CADENCE, _ESTIMATE_CADENCE = 12, 15, 5, 3
_MAX_TRACE = 1.0 + 2.0 * math.cos(0.02)  # of the matrix of such a rotation
# Number of motions for a warning, and for twice the standard deviation: the sandwich covariance of few motions is too
# small, because matches with one keyframe have correlated errors (five motions of the kitchen gave 1.36 times the focal
# length at 6.8 sigma, ten of the corridor 0.66 times at 5). Lower bound of the median parallax of a motion, pixels:
# below, epipolar lines are noise.
_MIN_MOTIONS, _FEW_MOTIONS, _MIN_PARALLAX_PX = 6, 10, 2.0
# Unknowns that are estimated together, and their prior standard deviations: log f, k1, and the principal point, focal
# lengths.
_LOG_FOCAL, _K1, _X, _Y = range(4)
_MODELS = (_LOG_FOCAL, _K1), (_K1, _X, _Y)
_PRIOR = np.array([0.5, 0.3, 0.2, 0.2])
# Limits, which a fault exceeds, of log f, of the shift in the corners relative to half the diagonal, and of the
# principal point, focal lengths; and significance in standard deviations. On all prefixes of the corridor, kitchen,
# desk, KITTI 06 and rendered room at strides 1 to 5, the smaller share of both is at most 0.7 (focal length and
# distortion, kitchen).
_LIMITS, _MIN_SIGNIFICANCE = np.array([0.05, 0.09, 0.05, 0.05]), 4.0
# Factors of the significance by which the cause is chosen: of focal length and principal point the former, a more
# common fault, unless motions tell them apart.
_LIKELIHOOD = np.array([1.25, 1.0, 1.0, 1.0])
# Significance from which on focal length and principal point inflate the covariance without a warning.
_MIN_DOUBT, _IS_LENGTH = 3.0, np.array([True, False, True, True])
# Lower bound of the curvature of the Cauchy loss relative to that of IRLS: 0.4 for normal residuals.
_MIN_CURVATURE = 0.3


class LensCheck:
    """Accumulates the normal equations of log focal length, k1 and principal point over motions, and solves them.

    Attributes:
        warning: of a wrong calibration; None without a fault.
        length_sigma: relative standard deviation of all lengths if the calibration deviates significantly; else 0.
        focal_sigma: relative standard deviation of the focal length from the motion; infinite before an estimate.
    """

    def __init__(self) -> None:
        """Start without motions."""
        self._information, self._gradients = np.zeros((0, 4, 4)), np.zeros((0, 4))  # of the last motions
        self._K = np.zeros((3, 3))
        self._eligible = self._rotations = self._used = 0
        self.warning: InputWarning | None = None
        self.length_sigma, self.focal_sigma = 0.0, math.inf

    def add_motion(self, matches: NormalizedMatches, camera: Camera, motion: RelativePoseEstimate) -> None:
        """Add a motion and its N matches; a changed camera matrix resets the estimate."""
        if camera.K is not self._K and not np.array_equal(camera.K, self._K):
            self._information, self._gradients = self._information[:0], self._gradients[:0]
            self._K, self.warning, self.length_sigma, self.focal_sigma = camera.K, None, 0.0, math.inf
        if motion.observable is ObservableDof.ROTATION_ONLY or motion.parallax_px < _MIN_PARALLAX_PX:
            return
        if not self._is_due(motion):
            return
        inliers = matches.select(subsampled(motion.inliers, _MAX_MATCHES))
        H, g = normal_equations(inliers, motion.T_keyframe_camera, motion.noise_px / camera.focal)
        self._information = np.concatenate([self._information[1 - _WINDOW :], H[None]])
        self._gradients = np.concatenate([self._gradients[1 - _WINDOW :], g[None]])
        self._used += 1
        if len(self._gradients) >= _MIN_MOTIONS and self._used % _ESTIMATE_CADENCE == 0:
            value, sigma = self._estimate()
            # A relative error of the distance of an image point from the center is the same relative error of lengths.
            errors = np.abs(value) * (1.0, (_half_diagonal(camera) / camera.focal) ** 2, 1.0, 1.0)
            significance = np.abs(value) / sigma
            self.warning = _warning(camera, value, significance, errors)
            is_in_doubt = (significance > _MIN_DOUBT) & (_IS_LENGTH | (self.warning is not None))
            self.length_sigma, self.focal_sigma = float((errors * is_in_doubt).max()), float(sigma[_LOG_FOCAL])

    def _is_due(self, motion: RelativePoseEstimate) -> bool:
        """Count a motion, and return whether to use it."""
        self._eligible += 1
        is_rotation = motion.T_keyframe_camera[:3, :3].trace() < _MAX_TRACE
        self._rotations += int(is_rotation)
        return bool(
            len(self._gradients) < _DENSE_MOTIONS
            or (is_rotation and self._rotations <= _DENSE_ROTATIONS)
            or self._eligible % _CADENCE == 0
        )

    def _estimate(self) -> tuple[Array, Array]:
        """Return the values of log f, k1 and principal point, and their standard deviations.

        Of the models with an unknown, the one with its larger significance counts. Standard deviations are those of
        independent normal residuals, or of the scatter over motions (sandwich estimator, White 1982); the larger of
        both, more for few motions.
        """
        total, g = self._information.sum(axis=0), self._gradients
        values, sigmas = np.zeros(4), np.ones(4)
        for model in map(list, _MODELS):
            inverse = np.linalg.inv(total[np.ix_(model, model)] + np.diag(_PRIOR[model] ** -2.0))
            value = inverse @ g[:, model].sum(axis=0)
            scatter = inverse @ (g[:, model] - self._information[:, model][:, :, model] @ value).T
            sigma = np.sqrt(np.maximum(np.diag(inverse), (scatter**2).sum(axis=1))) * (1.0 + _FEW_MOTIONS / len(g))
            better = np.abs(value) / sigma > np.abs(values[model]) / sigmas[model]
            values[model], sigmas[model] = np.where(better, (value, sigma), (values[model], sigmas[model]))
        return values, sigmas


def _warning(camera: Camera, value: Array, significance: Array, errors: Array) -> InputWarning | None:
    """Return the warning of the most significant parameter with an error above its limit; None without one."""
    wrong = (errors > _LIMITS) & (significance > _MIN_SIGNIFICANCE)
    if not wrong.any():
        return None
    log_focal, k1, x, y = value
    worst = int(np.argmax(significance * wrong * _LIKELIHOOD))
    if worst == _LOG_FOCAL:
        return InputWarning(
            InputFault.FOCAL_LENGTH,
            f"the motion of the images asks for a focal length about {np.exp(log_focal):.2f} times the calibration's "
            f"{camera.focal:.0f} px, or for another principal point or distortion: use the calibration of this lens, "
            "at this resolution, and check whether the images are cropped",
        )
    if worst == _K1:
        shift_px = errors[_K1] * _half_diagonal(camera)
        return InputWarning(
            InputFault.DISTORTION,
            f"the motion of the images asks for a radial distortion k1 that differs by about {-k1:+.2f} from the "
            f"calibration's, {shift_px:.0f} px in the corners: calibrate the lens, and check whether the images are "
            "rectified already",
        )
    shift_px = camera.focal * (x if worst == _X else y)
    name, sides = ("cx", ("left", "right")) if worst == _X else ("cy", ("up", "down"))
    return InputWarning(
        InputFault.PRINCIPAL_POINT,
        f"the motion of the images asks for a principal point about {abs(shift_px):.0f} px further "
        f"{sides[int(shift_px > 0)]} than the calibration's ({name}), or for another focal length: use the calibration "
        "of this lens, at this resolution, and check whether the images are cropped",
    )


def _half_diagonal(camera: Camera) -> float:
    return float(np.hypot(camera.width, camera.height)) / 2.0


def normal_equations(matches: NormalizedMatches, T_a_b: Array, noise: float) -> tuple[Array, Array]:
    """Return the (4, 4) information and (4,) gradient of (log f, k1, principal point), with the pose eliminated.

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
