"""Detects bit-identical depth images with new color images: a driver that repeats depth images.

A noise-free renderer also produces them for motion parallel to a plane, so a repeated image must also contradict the
measured motion.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.depth.predicted_depth import measured_by_predicted
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.repeated_images import WINDOW, equal
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.geometry.robust import median
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate

# Median relative difference of the depth image from the depth predicted by the motion, above which they contradict:
# above that of a renderer (under 0.2 %) and below that of sensor noise (1 %).
_MIN_DIFFERENCE = 0.005
_MIN_FRAMES = 2  # for a warning


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

    def add_motion(
        self, frame: Frame, matches: Matches, normalized: NormalizedMatches, motion: RelativePoseEstimate
    ) -> None:
        """Add the measured motion of this frame, its matches, and the same normalized, with depth."""
        is_fault = False
        if self._is_equal:
            assert frame.depth is not None
            ratios = measured_by_predicted(frame.depth, matches, normalized, motion)
            is_fault = ratios is not None and median(np.abs(ratios - 1.0)) > _MIN_DIFFERENCE
        self._faults.append(is_fault)

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
