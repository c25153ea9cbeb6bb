"""Detects a disparity offset of the stereo rig by comparison with depth triangulated from the motion.

A wrong principal point or yaw of the right camera shifts all its points along the epipolar lines, which the pair alone
does not show. The inverse depths triangulated from the motion between two frames are independent of it, so those of the
pair are a linear function of them with an intercept, the offset.
"""

from __future__ import annotations

from collections import deque
from statistics import median as median_of_few

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.subsampling import subsampled
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, triangulate
from loftr_ros.odometry.geometry.robust import CAUCHY_SIGMAS, MAD_TO_SIGMA, cauchy_weights, median
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate

# Sliding window of motions, and number of motions for a warning.
_WINDOW, _MIN_MOTIONS = 9, 3
# Bounds of the number of matches with depth for the line fit.
_MIN_MATCHES, _MAX_MATCHES = 50, 200
# Upper bound of the standard deviation of the offset: it is not observable if all depths are similar.
_MAX_SIGMA_PX = 0.3
# Lower bound of the median significance of the triangulated inverse depths, standard deviations: without motion they
# are noise.
_MIN_DEPTH_SIGNIFICANCE = 10.0
# Limit of the median offset, and its significance in standard deviations. KITTI 06 and the rendered room have at most
# 0.3, simulated scenes that mostly move 0.5, and pairs with cx of the right camera off by 2 px 1.9 and 2.2. Odometry
# estimates a part (`OdometryConfig.disparity_bias_px`): its path is then too long by 1 %.
_MAX_OFFSET_PX, _MIN_SIGNIFICANCE = 1.5, 5.0
# Offsets up to this are noise on calibrated pairs; larger ones count as scale errors.
_NOISE_PX = 0.5
# Number of iterations, and change of the intercept at convergence, relative to the inverse depths.
_MAX_ITERATIONS, _CONVERGED = 6, 1e-3
# Relative uncertainty of the noise of inverse depths, which biases the slope.
_NOISE_UNCERTAINTY = 0.5


class DisparityCheck:
    """Estimates the offset from each motion, and warns of a large median.

    Attributes:
        offset_px: median offset, pixels, positive for too large disparities; 0 for too few motions or within the noise.
    """

    def __init__(self) -> None:
        """Start without motions."""
        self._offsets_px: deque[float] = deque(maxlen=_WINDOW)
        self._keyframe_ns = -1  # of the last estimate
        self.offset_px = 0.0

    def add_motion(
        self, keyframe: Keyframe[object], frame: Frame, matches: NormalizedMatches, motion: RelativePoseEstimate
    ) -> None:
        """Add a motion measured with stereo depth; one per keyframe is used."""
        rig = keyframe.frame.rig
        if rig is None or keyframe.frame.stamp_ns == self._keyframe_ns:
            return
        camera = frame.camera
        sampled = matches.select(subsampled(motion.inliers & matches.has_depth, _MAX_MATCHES))
        if len(sampled) < _MIN_MATCHES:
            return
        rho, rho_sigma = triangulate(sampled.a, sampled.b, motion.T_keyframe_camera, motion.noise_px / camera.focal)
        is_valid = np.isfinite(rho) & np.isfinite(rho_sigma)
        if is_valid.sum() < _MIN_MATCHES or median(rho[is_valid] / rho_sigma[is_valid]) < _MIN_DEPTH_SIGNIFICANCE:
            return
        per_px = 1.0 / (rig.right.focal * rig.baseline)
        offset, offset_sigma = _intercept(
            rho[is_valid], rho_sigma[is_valid], sampled.inverse_depth[is_valid], sampled.sigma[is_valid]
        )
        if offset_sigma < max(_MAX_SIGMA_PX * per_px, abs(offset) / _MIN_SIGNIFICANCE):
            self._offsets_px.append(offset / per_px)
            self._keyframe_ns = keyframe.frame.stamp_ns
            typical = median_of_few(self._offsets_px) if len(self._offsets_px) >= _MIN_MOTIONS else 0.0
            self.offset_px = typical if abs(typical) > _NOISE_PX else 0.0

    @property
    def warning(self) -> InputWarning | None:
        """The warning of a large offset; None without a fault."""
        offset = self.offset_px
        if abs(offset) < _MAX_OFFSET_PX:
            return None
        text = (
            f"disparities are {abs(offset):.1f} px too {'large' if offset > 0 else 'small'} for the motion of the "
            "camera: calibrate the pair again (cx or a rotation is wrong), or synchronize its images"
        )
        return InputWarning(InputFault.STEREO_DISPARITY, text)


def _intercept(x: Array, x_sigma: Array, y: Array, y_sigma: Array) -> tuple[float, float]:
    """Fit y = slope * x + intercept with errors in both; return the intercept and its sigma, infinite for equal x.

    York et al., "Unified equations for the slope, intercept, and standard errors of the best straight line" (2004),
    with IRLS (Cauchy). Ordinary least squares, which assumes exact x, underestimates the slope.
    """
    slope, intercept = median(y) / max(median(x), 1e-9), 0.0
    for _ in range(_MAX_ITERATIONS):
        variance = y_sigma**2 + (slope * x_sigma) ** 2
        squared = (y - slope * x - intercept) ** 2 / variance
        noise = max(MAD_TO_SIGMA**2 * median(squared), 1.0)
        weights = cauchy_weights(squared / (noise * CAUCHY_SIGMAS**2)) / (variance * noise)
        total = weights.sum()
        x_mean, y_mean = weights @ x / total, weights @ y / total
        dx, dy = x - x_mean, y - y_mean
        adjusted = (dx * y_sigma**2 + slope * dy * x_sigma**2) / variance
        slope = float((weights * adjusted) @ dy / ((weights * adjusted) @ dx))
        before, intercept = intercept, float(y_mean - slope * x_mean)
        if abs(intercept - before) < _CONVERGED * y_mean:
            break
    noise_part, spread = float(weights @ x_sigma**2), float(weights @ dx**2)
    if not noise_part < spread:
        return intercept, np.inf
    slope_sigma = (spread - noise_part) ** -0.5
    bias_sigma = _NOISE_UNCERTAINTY * noise_part / spread * y_mean
    return intercept, float(np.sqrt(1.0 / total + (x_mean * slope_sigma) ** 2 + bias_sigma**2))
