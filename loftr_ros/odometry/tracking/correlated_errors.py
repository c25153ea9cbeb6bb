"""Covariance of errors that are correlated over time: motion of a moving object, and an ambiguous direction.

A moving object that is tracked in place of the static scene biases the velocity of frame after frame. Adding the
covariances of steps assumes independent errors, but a constant velocity error since time zero has a position variance
rate * t². So the step from a keyframe at t_k to t adds rate * (t² - t_k²), not rate * (t - t_k)². Once such an object
fills the view, no other motion competes; so the error continues as long as one homography fits all inliers.

If the first motion of a single camera from a keyframe has an ambiguous direction, the depths of the keyframe are
triangulated along it, and later motions measured with these depths have the same error.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.pose.degeneracy import difference_covariance
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.two_view import TwoViewGeometry
from loftr_ros.odometry.states import Degeneracy

# Time without a competing motion after which the next one starts a new error, seconds.
# assumed: an object is missed for single frames only.
_MEMORY_S = 1.0
# Time for which the covariance of a sudden motion is kept, seconds.
# assumed: that in which an object passes.
_SUDDEN_MEMORY_S = 3.0
# Lower bound of the standard deviation of an ambiguous direction, radians.
# measured: docs/odometry.md, "30 to 60° in a corridor".
_MIN_DIRECTION_SIGMA = 0.5
# Number of keyframes with affected depths.
# derived: the one of the ambiguous motion, and the next, to which they propagate.
_AFFECTED_KEYFRAMES = 2


class CompetingMotionMemory:
    """Covariance of a velocity error that lasts while a competing motion may be that of the static scene."""

    def __init__(self) -> None:
        """Start without a velocity error."""
        self._onset_ns = self._last_ns = self._until_ns = self._keyframe_ns = -1
        self._rate = np.zeros((6, 6))  # variance per squared second

    def add_sudden_motion(
        self, motion: RelativePoseEstimate, T_predicted: Array, previous_ns: int, stamp_ns: int
    ) -> None:
        """Add the jump of a motion that exceeds the acceleration of any camera, likely that of a moving object.

        Args:
            motion: the measured pose.
            T_predicted: (4, 4) predicted pose in the keyframe.
            previous_ns: stamp of the last measured pose, nanoseconds.
            stamp_ns: of this frame, nanoseconds.
        """
        self._update_onset(previous_ns, stamp_ns)
        self._until_ns = stamp_ns + round(1e9 * _SUDDEN_MEMORY_S)
        jump = difference_covariance(motion.T_keyframe_camera, T_predicted)
        self._rate = jump / (1e-9 * (stamp_ns - previous_ns)) ** 2

    def inflated(
        self, motion: RelativePoseEstimate, keyframe_ns: int, previous_ns: int, stamp_ns: int
    ) -> RelativePoseEstimate:
        """Return the motion with the covariance of the velocity error since its onset.

        Args:
            motion: the measured pose; its competing motion starts or updates the error.
            keyframe_ns: stamp of the keyframe, nanoseconds.
            previous_ns: stamp of the last measured pose, nanoseconds.
            stamp_ns: of this frame, nanoseconds.
        """
        is_marked = True
        if motion.competing_covariance.any():
            self._update_onset(previous_ns, stamp_ns)
            self._keyframe_ns = keyframe_ns
            rate = motion.competing_covariance / (1e-9 * (stamp_ns - keyframe_ns)) ** 2
            self._rate = max(rate, self._rate, key=np.trace) if stamp_ns <= self._until_ns else rate
        elif self._is_hidden(motion, previous_ns):
            self._last_ns = stamp_ns
        elif stamp_ns > self._until_ns:
            if keyframe_ns != self._keyframe_ns:
                return motion
            is_marked = False  # the pose of a keyframe whose earlier frames had a competing motion is no more certain
        age, keyframe_age = (1e-9 * max(time_ns - self._onset_ns, 0) for time_ns in (stamp_ns, keyframe_ns))
        return motion.with_competing_motion(self._rate * (age**2 - keyframe_age**2), is_marked)

    def _is_hidden(self, motion: RelativePoseEstimate, previous_ns: int) -> bool:
        """Return whether an object may fill the view since the last competing motion: one homography fits."""
        is_recent = self._last_ns >= 0 and previous_ns - self._last_ns <= 1e9 * _MEMORY_S
        return is_recent and motion.geometry is not TwoViewGeometry.GENERAL

    def _update_onset(self, previous_ns: int, stamp_ns: int) -> None:
        if self._onset_ns < 0 or (stamp_ns - self._last_ns > 1e9 * _MEMORY_S and stamp_ns > self._until_ns):
            self._onset_ns = previous_ns
        self._last_ns = stamp_ns


class AmbiguousDirectionMemory:
    """Covariance of motions measured with depths that were triangulated along an ambiguous direction."""

    def __init__(self) -> None:
        """Start without an ambiguous direction."""
        self._keyframe_ns = -1
        self._keyframes_left = 0
        self._variances = 0.0, 0.0  # of position and rotation, per squared length of the translation

    def inflated(self, motion: RelativePoseEstimate, keyframe_ns: int) -> RelativePoseEstimate:
        """Return the motion marked AMBIGUOUS_DIRECTION and with the covariance of its direction, if affected.

        It is the same for all directions across the translation, because the true one may differ from both the estimate
        and the alternative. The length of the translation is not affected, so that a scale source can measure it.

        Args:
            motion: the measured pose.
            keyframe_ns: stamp of the keyframe, nanoseconds.
        """
        if keyframe_ns != self._keyframe_ns:
            self._keyframe_ns, self._keyframes_left = keyframe_ns, self._keyframes_left - 1
        position = motion.T_keyframe_camera[:3, 3]
        squared = max(float(position @ position), 1e-12)
        if Degeneracy.AMBIGUOUS_DIRECTION in motion.degeneracies:
            of_length = np.outer(position, position)  # the unobservable length, which is no error of the direction
            of_position = np.linalg.eigvalsh(motion.covariance[:3, :3] - of_length)[-1] / squared
            of_rotation = np.linalg.eigvalsh(motion.covariance[3:, 3:])[-1] / squared
            self._variances = max(of_position, _MIN_DIRECTION_SIGMA**2), of_rotation
            self._keyframes_left = _AFFECTED_KEYFRAMES
        elif self._keyframes_left <= 0:
            return motion
        across, rotation = self._variances
        added = squared * np.diag(np.repeat([across, rotation], 3))
        added[:3, :3] -= across * np.outer(position, position)
        marked = dict.fromkeys((*motion.degeneracies, Degeneracy.AMBIGUOUS_DIRECTION))
        return replace(motion, covariance=motion.covariance + added, degeneracies=tuple(marked))
