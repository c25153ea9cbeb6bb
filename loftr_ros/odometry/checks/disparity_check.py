"""Stereo depth checked against the motion of the camera: all disparities too large or too small by the same pixels.

A wrong principal point or yaw of the right camera moves all its points along the epipolar lines, so the pair alone
looks well calibrated. The inverse depths that the motion between two frames gives to the same cells are free of it: the
depths of the pair are, plotted against them, a line that misses the origin.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.frame import Frame
from loftr_ros.odometry.keyframe import Keyframe
from loftr_ros.odometry.motion import Motion
from loftr_ros.odometry.rays import triangulate

# Figures are of so many motions, and said from so many on.
_RECENT, _LEAST_MOTIONS = 9, 3
# So many matches with depth tell the line; no more than this are needed.
_FEW, _ENOUGH = 50, 200
# Frames that the camera hardly moved between have depths without a difference: their line has no certain end.
_LARGEST_SIGMA_PX = 0.3
# ... and those of a camera that stood still are noise: most must be surely finite, in standard deviations.
_LEAST_PARALLAX = 10.0
# KITTI 06 has 0.35 at most, and 2.1 where cx of the right camera is off by 2. Odometry learns a fifth
# (`OdometryConfig.disparity_offset_px`); from 2 pixels on it is wrong by a per cent and more.
_LARGEST_OFFSET_PX, _SURE = 1.0, 5.0
_ITERATIONS, _LOSS_SCALE = 4, 2.0


class DisparityCheck:
    """Measures the offset motion after motion, and warns of the median."""

    def __init__(self) -> None:
        """Start with no evidence."""
        self._offsets_px: deque[float] = deque(maxlen=_RECENT)
        self._keyframe_ns = -1  # of the last one

    def add_motion(self, keyframe: Keyframe[object], frame: Frame, matches: Matches, motion: Motion) -> None:
        """Take a motion that was measured with the depth of stereo pairs; one of each keyframe tells enough."""
        rig = keyframe.frame.rig
        if rig is None or keyframe.frame.stamp_ns == self._keyframe_ns:
            return
        camera = frame.camera
        value, sigma = keyframe.depths.at(matches.cell_a)
        some = np.flatnonzero(motion.inliers & np.isfinite(value))
        if len(some) < _FEW:
            return
        some = some[:: max(len(some) // _ENOUGH, 1)]
        rays_a, rays_b = camera.normalize(matches.points_a[some]), camera.normalize(matches.points_b[some])
        seen, seen_sigma = triangulate(rays_a, rays_b, motion.T_keyframe_camera, motion.noise_px / camera.focal)
        good = np.isfinite(seen) & np.isfinite(seen_sigma)
        if good.sum() < _FEW or np.median(seen[good] / seen_sigma[good]) < _LEAST_PARALLAX:
            return
        per_px = 1.0 / (rig.right.focal * rig.baseline)
        offset, offset_sigma = _intercept(seen[good], seen_sigma[good], value[some][good], sigma[some][good])
        if offset_sigma < max(_LARGEST_SIGMA_PX * per_px, abs(offset) / _SURE):
            self._offsets_px.append(offset / per_px)
            self._keyframe_ns = keyframe.frame.stamp_ns

    @property
    def warning(self) -> InputWarning | None:
        """The offset, if it is more than that of a calibration."""
        if len(self._offsets_px) < _LEAST_MOTIONS:
            return None
        offset = float(np.median(self._offsets_px))
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
    """Fit y = slope * x + intercept, errors in both, by reweighted least squares; return the intercept, its sigma."""
    slope, intercept = float(np.median(y)) / max(float(np.median(x)), 1e-9), 0.0
    A = np.stack([x, np.ones_like(x)])
    for _ in range(_ITERATIONS):
        sigma = np.hypot(y_sigma, slope * x_sigma)
        deviations = (y - slope * x - intercept) / sigma
        noise = max(1.4826 * float(np.median(np.abs(deviations))), 1.0)
        weights = 1.0 / (sigma**2 * (noise**2 + (deviations / _LOSS_SCALE) ** 2))
        normal = (A * weights) @ A.T
        slope, intercept = np.linalg.solve(normal, (A * weights) @ y)
    return float(intercept), float(np.linalg.inv(normal)[1, 1] ** 0.5)
