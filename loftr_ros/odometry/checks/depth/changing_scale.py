"""Detects depth images whose scale changes from image to image.

Images that are normalized one by one, for viewing, and depth that a network estimates from single images have no common
unit, which triangulation does not show: lengths of a motion are those of the keyframe's depth image. But the depth
image at the end of the motion differs from the predicted depth by the ratio of both scales.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.depth.predicted_depth import measured_by_predicted
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.subsampling import subsampled
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.geometry.robust import median, sigma_from_mad
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate

# Sliding window of motions, and number of motions for a warning: as many as for unregistered depth images, which look
# likewise.
_WINDOW, _MIN_MOTIONS = 20, 6
# Quantile of the changes of scale, without three standard deviations of their median, that is compared with the limit:
# single motions are wrong.
_SHARE, _SIGMAS = 0.75, 3.0
# Limit: recorded sequences (corridor, kitchen and desk at strides 1, 3 and 5) have at most 0.1 %, the same with each
# image divided by its largest or median depth 0.6 to 11 %.
_MAX_CHANGE = 0.004
# Allowance for images and depth images of varying times, seconds: those of free running cameras at 30 Hz differ by up
# to 17 ms, a standard deviation of 10 ms.
_JITTER_S = 0.01
_MAX_POINTS = 100  # for the median inverse depth


class ChangingScale:
    """Compares the scale of the depth images of keyframes and later frames.

    Attributes:
        change: typical relative change of the scale during a motion.
    """

    def __init__(self) -> None:
        """Start without motions."""
        self._changes: deque[float] = deque(maxlen=_WINDOW)
        self.change = 0.0

    def add_motion(
        self,
        depth: NDArray[np.float32],
        matches: Matches,
        normalized: NormalizedMatches,
        motion: RelativePoseEstimate,
        duration_s: float,
    ) -> None:
        """Add a motion from a keyframe with depth image, and its duration; see `measured_by_predicted`."""
        ratios = measured_by_predicted(depth, matches, normalized, motion)
        if ratios is None:
            return
        logarithms = np.log(ratios)
        typical = median(logarithms)
        sigma = sigma_from_mad(logarithms - typical) / len(logarithms) ** 0.5
        rho = normalized.inverse_depth[subsampled(motion.inliers, _MAX_POINTS)]
        by_jitter = abs(motion.T_keyframe_camera[2, 3]) * median(rho[np.isfinite(rho)]) * _JITTER_S / duration_s
        self._changes.append(max(abs(typical) - _SIGMAS * sigma - by_jitter, 0.0))
        ordered = sorted(self._changes)
        self.change = ordered[int(_SHARE * (len(ordered) - 1))] if len(ordered) >= _MIN_MOTIONS else 0.0

    @property
    def warning(self) -> InputWarning | None:
        """The warning of a changing scale; None without a fault."""
        if self.change < _MAX_CHANGE:
            return None
        text = (
            f"the scale of the depth images changes by {self.change:.1%} from image to image, so lengths have no unit: "
            "they are normalized one by one, estimated from single images, or not aligned to the color images; use "
            "those of a depth camera, in one fixed unit"
        )
        return InputWarning(InputFault.DEPTH_SCALE, text)
