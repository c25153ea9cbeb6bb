"""Bit-identical depth images under new color images: a driver that repeats the last depth image.

A noise-free renderer sends them, too, where the camera moves along a plane. So the repeated image also has to
contradict the measured motion.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.repeated_images import WINDOW, equal
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate

# Median difference of depth to what the motion makes of that of the keyframe, as a share: beyond that of a renderer
# (under 0.2 %) and below what a sensor's noise alone does (1 %).
_LEAST_DIFFERENCE = 0.005
# Least number of cells for a comparison, and of frames for a warning.
_ENOUGH_CELLS, _ENOUGH = 25, 2


class RepeatedDepth:
    """Compares the depth image of each frame with the one before."""

    def __init__(self) -> None:
        """Start before the first frame."""
        self._last: Frame | None = None
        self._is_equal = False
        self._faults: deque[bool] = deque(maxlen=WINDOW)

    def add_frame(self, frame: Frame, is_image_equal: bool) -> None:
        """Take the next frame, and whether its color image is that of the one before."""
        last, self._last = self._last, frame
        self._is_equal = False
        if last is not None and last.depth is not None and frame.depth is not None:
            self._is_equal = not is_image_equal and equal(frame.depth, last.depth)

    def add_motion(self, keyframe: Keyframe[Any], frame: Frame, matches: Matches, motion: RelativePoseEstimate) -> None:
        """Take the motion that was measured at this frame."""
        self._faults.append(self._is_equal and _difference(keyframe, frame, matches, motion) > _LEAST_DIFFERENCE)

    @property
    def warning(self) -> InputWarning | None:
        """What was repeated of late."""
        if (count := sum(self._faults)) < _ENOUGH:
            return None
        text = (
            f"{count} of the last {len(self._faults)} depth images are bit-identical to the one before although the "
            "camera moved: the driver repeats depth images; set the frame rate of depth to that of color, and look at "
            "its log"
        )
        return InputWarning(InputFault.REPEATED_DEPTH_IMAGE, text)


def _difference(keyframe: Keyframe[Any], frame: Frame, matches: Matches, motion: RelativePoseEstimate) -> float:
    """Return the median relative difference of the depth image to the depth that the motion predicts; 0 if unknown."""
    assert frame.depth is not None
    seen = matches.select(motion.inliers)
    rho, _ = keyframe.depths.at(seen.cell_a)
    T = motion.T_keyframe_camera
    rays = np.column_stack([keyframe.frame.camera.normalize(seen.points_a), np.ones(len(seen))])
    with np.errstate(divide="ignore", invalid="ignore"):
        predicted = (rays / rho[:, None] - T[:3, 3]) @ T[:3, 2]
    column, row = np.rint(seen.points_b).astype(int).T
    height, width = frame.depth.shape
    measured = frame.depth[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    known = np.isfinite(predicted) & (predicted > 0) & np.isfinite(measured) & (measured > 0)
    if known.sum() < _ENOUGH_CELLS:
        return 0.0
    return float(np.median(np.abs(measured[known] / predicted[known] - 1.0)))
