"""Stereo depth checked against the motion of the camera: all disparities too large or too small by the same pixels.

A wrong principal point or yaw of the right camera moves all its points along the epipolar lines, so the pair alone
looks well calibrated. The inverse depths that the motion between two frames gives to the same cells are free of it: the
depths of the pair are, plotted against them, a line that misses the origin.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.thinning import thinned
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, triangulate
from loftr_ros.odometry.geometry.robust import MAD_TO_SIGMA, cauchy_weights
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate

# Sliding window of motions, and the least number of them for a warning.
_RECENT, _LEAST_MOTIONS = 9, 3
# Least and largest number of matches with depth for the line fit.
_FEW, _ENOUGH = 50, 200
# Frames that the camera hardly moved between have depths without a difference: their line has no certain end.
_LARGEST_SIGMA_PX = 0.3
# ... and those of a camera that stood still are noise: most must be surely finite, in standard deviations.
_LEAST_PARALLAX = 10.0
# The median is 0.3 at most on KITTI 06 and in the rendered room, 0.5 in simulated scenes of which most moves, and 1.9
# and 2.2 where cx of the right camera is off by 2. Odometry learns a part (`OdometryConfig.disparity_bias_px`): its
# path is then too long by 1 %.
_LARGEST_OFFSET_PX, _SURE = 1.5, 5.0
# Offsets up to this are noise of the method on good pairs; larger ones count as errors of lengths.
_NOISE_PX = 0.5
# Iterations end when the line moves by less than this share of the inverse depths.
_ITERATIONS, _CONVERGED, _LOSS_SCALE = 6, 1e-3, 2.0
# What is said of the noise of depths is this far off, as a share: so is the slope where the noise makes up the spread.
_NOISE_UNSURE = 0.5


class DisparityCheck:
    """Measures the offset motion after motion, and warns of the median."""

    def __init__(self) -> None:
        """Start with no evidence."""
        self._offsets_px: deque[float] = deque(maxlen=_RECENT)
        self._keyframe_ns = -1  # of the last one

    def add_motion(
        self, keyframe: Keyframe[object], frame: Frame, rays: NormalizedMatches, motion: RelativePoseEstimate
    ) -> None:
        """Take a motion that was measured with the depth of stereo pairs; one of each keyframe tells enough."""
        rig = keyframe.frame.rig
        if rig is None or keyframe.frame.stamp_ns == self._keyframe_ns:
            return
        camera = frame.camera
        some = rays.select(thinned(motion.inliers & rays.has_depth, _ENOUGH))
        if len(some) < _FEW:
            return
        seen, seen_sigma = triangulate(some.a, some.b, motion.T_keyframe_camera, motion.noise_px / camera.focal)
        good = np.isfinite(seen) & np.isfinite(seen_sigma)
        if good.sum() < _FEW or np.median(seen[good] / seen_sigma[good]) < _LEAST_PARALLAX:
            return
        per_px = 1.0 / (rig.right.focal * rig.baseline)
        offset, offset_sigma = _intercept(seen[good], seen_sigma[good], some.inverse_depth[good], some.sigma[good])
        if offset_sigma < max(_LARGEST_SIGMA_PX * per_px, abs(offset) / _SURE):
            self._offsets_px.append(offset / per_px)
            self._keyframe_ns = keyframe.frame.stamp_ns

    @property
    def offset_px(self) -> float:
        """Median of the motions, positive where disparities are too large; 0 if there are few, or it is noise."""
        offset = float(np.median(self._offsets_px)) if len(self._offsets_px) >= _LEAST_MOTIONS else 0.0
        return offset if abs(offset) > _NOISE_PX else 0.0

    @property
    def warning(self) -> InputWarning | None:
        """The offset, if it is more than that of a calibration."""
        offset = self.offset_px
        if abs(offset) < _LARGEST_OFFSET_PX:
            return None
        text = (
            f"disparities are {abs(offset):.1f} px too {'large' if offset > 0 else 'small'} for the motion of the "
            "camera: calibrate the pair again (cx or a rotation is wrong), or synchronize its images"
        )
        return InputWarning(InputFault.STEREO_DISPARITY, text)


def _intercept(
    x: NDArray[np.float64], x_sigma: NDArray[np.float64], y: NDArray[np.float64], y_sigma: NDArray[np.float64]
) -> tuple[float, float]:
    """Fit y = slope * x + intercept with errors in both; return the intercept and its sigma, infinite for one depth.

    The method is that of York et al., "Unified equations for the slope, intercept, and standard errors of the best
    straight line" (2004), reweighted (Cauchy). Least squares that take x for exact make the line too flat.
    """
    slope, intercept = float(np.median(y)) / max(float(np.median(x)), 1e-9), 0.0
    for _ in range(_ITERATIONS):
        variance = y_sigma**2 + (slope * x_sigma) ** 2
        squared = (y - slope * x - intercept) ** 2 / variance
        noise = max(MAD_TO_SIGMA**2 * float(np.median(squared)), 1.0)
        weights = cauchy_weights(squared / (noise * _LOSS_SCALE**2)) / (variance * noise)
        total = weights.sum()
        x_mean, y_mean = weights @ x / total, weights @ y / total
        dx, dy = x - x_mean, y - y_mean
        nearest = (dx * y_sigma**2 + slope * dy * x_sigma**2) / variance
        slope = float((weights * nearest) @ dy / ((weights * nearest) @ dx))
        before, intercept = intercept, float(y_mean - slope * x_mean)
        if abs(intercept - before) < _CONVERGED * y_mean:
            break
    of_noise, spread = float(weights @ x_sigma**2), float(weights @ dx**2)
    if not of_noise < spread:
        return intercept, np.inf
    slope_sigma = (spread - of_noise) ** -0.5
    unsure = _NOISE_UNSURE * of_noise / spread * y_mean
    return intercept, float(np.sqrt(1.0 / total + (x_mean * slope_sigma) ** 2 + unsure**2))
