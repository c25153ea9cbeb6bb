"""A moving object that is mistaken for the world is mistaken for it in frame after frame: the errors add up.

Covariances of steps are added as if each step erred by itself. An error of velocity that lasts since some time grows
with the time t, and its variance with t²; so the step from a keyframe at t_k adds rate (t² - t_k²), and not
rate (t - t_k)².

A single camera whose first motion from a keyframe has an ambiguous direction triangulates the keyframe's depths along
it, and later motions, measured with these depths, confirm it. So the doubt about the direction lasts as long as the
depths are used.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.pose.degeneracy import mixture_covariance
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.states import Degeneracy

# Seconds without a competing motion that end the doubt, and seconds for which a sudden motion is remembered.
_MEMORY_S, _SUDDEN_MEMORY_S = 1.0, 3.0
# Least standard deviation of an ambiguous direction, radians, however improbable its rival: in a corridor they were 30
# to 60 degrees off; and of the rotation that compensates it, radians per unit of length (the median distance).
_LEAST_DIRECTION_SIGMA, _LEAST_ROTATION_SIGMA = 0.5, 0.1
# Number of keyframes whose depths suffer: the one of that motion, and the next, to which they are propagated.
_DOUBTED_KEYFRAMES = 2


class LastingDoubt:
    """Widens the covariance of motions for as long as a moving object may be mistaken for the world."""

    def __init__(self) -> None:
        """Start without any."""
        self._onset_ns = self._last_ns = self._until_ns = -1
        self._rate = np.zeros((6, 6))  # variance per squared second

    def suddenly(
        self, motion: RelativePoseEstimate, T_predicted: NDArray[np.float64], before_ns: int, stamp_ns: int
    ) -> None:
        """Take a motion that no camera makes: what fills the view, and what comes next of it, may be an object."""
        self._initialize(before_ns, stamp_ns)
        self._until_ns = stamp_ns + round(1e9 * _SUDDEN_MEMORY_S)
        jump = mixture_covariance(motion.T_keyframe_camera, T_predicted, 0.5)
        self._rate = jump / (1e-9 * (stamp_ns - before_ns)) ** 2

    def of(self, motion: RelativePoseEstimate, keyframe_ns: int, before_ns: int, stamp_ns: int) -> RelativePoseEstimate:
        """Return a motion from the keyframe, measured after the frame `before_ns`, with the doubt that it deserves."""
        if motion.competing_covariance.any():
            self._initialize(before_ns, stamp_ns)
            rate = motion.competing_covariance / (1e-9 * (stamp_ns - keyframe_ns)) ** 2
            self._rate = max(rate, self._rate, key=np.trace) if stamp_ns <= self._until_ns else rate
        elif stamp_ns > self._until_ns:
            return motion
        now, then = (1e-9 * max(time_ns - self._onset_ns, 0) for time_ns in (stamp_ns, keyframe_ns))
        return motion.with_competing_motion(self._rate * (now**2 - then**2))

    def _initialize(self, before_ns: int, stamp_ns: int) -> None:
        if self._onset_ns < 0 or (stamp_ns - self._last_ns > 1e9 * _MEMORY_S and stamp_ns > self._until_ns):
            self._onset_ns = before_ns
        self._last_ns = stamp_ns


class AmbiguousDirection:
    """Widens the covariance of motions measured with depths that were triangulated along an ambiguous direction."""

    def __init__(self) -> None:
        """Start without any."""
        self._keyframe_ns = -1
        self._keyframes_left = 0
        self._variances = 0.0, 0.0  # of position and rotation, per squared length of the translation

    def of(self, motion: RelativePoseEstimate, keyframe_ns: int) -> RelativePoseEstimate:
        """Return a motion from the keyframe with the doubt that it deserves, isotropic, and the remark.

        The true direction may be a third one, neither that of the estimate nor that of its rival.
        """
        if keyframe_ns != self._keyframe_ns:
            self._keyframe_ns, self._keyframes_left = keyframe_ns, self._keyframes_left - 1
        position = motion.T_keyframe_camera[:3, 3]
        squared = max(float(position @ position), 1e-12)
        if Degeneracy.AMBIGUOUS_DIRECTION in motion.degeneracies:
            open_length = np.outer(position, position)  # the length of which nothing is known yet is no doubt
            of_position = np.linalg.eigvalsh(motion.covariance[:3, :3] - open_length)[-1] / squared
            of_rotation = np.linalg.eigvalsh(motion.covariance[3:, 3:])[-1] / squared
            self._variances = max(of_position, _LEAST_DIRECTION_SIGMA**2), max(of_rotation, _LEAST_ROTATION_SIGMA**2)
            self._keyframes_left = _DOUBTED_KEYFRAMES
        elif self._keyframes_left <= 0:
            return motion
        added = squared * np.diag(np.repeat(self._variances, 3))
        named = dict.fromkeys((*motion.degeneracies, Degeneracy.AMBIGUOUS_DIRECTION))
        return replace(motion, covariance=motion.covariance + added, degeneracies=tuple(named))
