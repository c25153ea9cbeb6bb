"""Detects bit-identical depth images with new color images: a driver that repeats depth images.

A noise-free renderer also produces them for motion parallel to a plane, so a repeated image must also contradict the
measured motion.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.repeated_images import WINDOW, equal
from loftr_ros.odometry.geometry.robust import median
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate

# Median relative difference of the depth image from the depth predicted by the motion, above which they contradict:
# above that of a renderer (under 0.2 %) and below that of sensor noise (1 %).
_MIN_DIFFERENCE = 0.005
# Number of cells for a comparison, and of frames for a warning.
_MIN_CELLS, _MIN_FRAMES = 25, 2


class RepeatedDepth:
    """Compares the depth image of each frame with the one before."""

    def __init__(self) -> None:
        """Start without frames."""
        self._last: Frame | None = None
        self._is_equal = False
        self._faults: deque[bool] = deque(maxlen=WINDOW)

    def add_frame(self, frame: Frame, is_image_equal: bool) -> None:
        """Add the next frame, and whether its color image equals the one before."""
        last, self._last = self._last, frame
        self._is_equal = False
        if last is not None and last.depth is not None and frame.depth is not None:
            self._is_equal = not is_image_equal and equal(frame.depth, last.depth)

    def add_motion(self, keyframe: Keyframe[Any], frame: Frame, matches: Matches, motion: RelativePoseEstimate) -> None:
        """Add the measured motion of this frame."""
        self._faults.append(self._is_equal and _difference(keyframe, frame, matches, motion) > _MIN_DIFFERENCE)

    @property
    def warning(self) -> InputWarning | None:
        """The warning of repeated depth images in the window; None without a fault."""
        if (count := sum(self._faults)) < _MIN_FRAMES:
            return None
        text = (
            f"{count} of the last {len(self._faults)} depth images are bit-identical to the one before although the "
            "camera moved: the driver repeats depth images; set the frame rate of depth to that of color, and look at "
            "its log"
        )
        return InputWarning(InputFault.REPEATED_DEPTH_IMAGE, text)


def _difference(keyframe: Keyframe[Any], frame: Frame, matches: Matches, motion: RelativePoseEstimate) -> float:
    """Return the median relative difference of the depth image from the predicted depth; 0 if unknown."""
    assert frame.depth is not None
    inliers = matches.select(motion.inliers)
    rho, _ = keyframe.depths.at(inliers.cell_a)
    T = motion.T_keyframe_camera
    points = np.column_stack([keyframe.frame.camera.normalize(inliers.points_a), np.ones(len(inliers))])
    with np.errstate(divide="ignore", invalid="ignore"):
        predicted = (points / rho[:, None] - T[:3, 3]) @ T[:3, 2]
    column, row = np.rint(inliers.points_b).astype(int).T
    height, width = frame.depth.shape
    measured = frame.depth[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    valid = np.isfinite(predicted) & (predicted > 0) & np.isfinite(measured) & (measured > 0)
    if valid.sum() < _MIN_CELLS:
        return 0.0
    return median(np.abs(measured[valid] / predicted[valid] - 1.0))
