"""The pose that the next frame is tracked from, and the prediction from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.states import TrackingState
from loftr_ros.odometry.tracking.motion_model import ConstantVelocityModel
from loftr_ros.odometry.tracking.tracked_pose import TrackedPose


@dataclass(frozen=True)
class ReferencePose:
    """The last measured pose, or a keyframe that was started while lost.

    Attributes:
        stamp_ns: of the pose, nanoseconds.
        tracked: the pose.
        matches: of keyframe and frame; None if the frame is the keyframe.
        model: the last measured velocity.
    """

    stamp_ns: int
    tracked: TrackedPose
    matches: Matches | None
    model: ConstantVelocityModel

    def seconds_to(self, stamp_ns: int) -> float:
        """Return the time from the reference to a stamp, seconds."""
        return 1e-9 * (stamp_ns - self.stamp_ns)

    def predicted(self, stamp_ns: int, with_competing: bool = True) -> TrackedPose:
        """Return the pose that the motion model predicts, as LOST and without inliers.

        Args:
            stamp_ns: of the prediction, nanoseconds.
            with_competing: include the covariance of competing motions. A gate without it rejects the next motion of
                an object that was tracked in place of the static scene.
        """
        start, model = self.tracked, self.model
        if start.without_competing and not with_competing:
            covariance, twist_covariance = start.without_competing
            start, model = replace(start, covariance=covariance), replace(model, covariance=twist_covariance)
        step = model.step(self.stamp_ns, stamp_ns)
        noise = model.process_noise(self.stamp_ns, stamp_ns)
        return TrackedPose(
            state=TrackingState.LOST,
            T_keyframe_camera=start.T_keyframe_camera @ step,
            covariance=se3.composed_covariance(start.T_keyframe_camera, start.covariance, step, noise),
            twist=model.twist_at(stamp_ns),
            twist_covariance=model.twist_covariance_at(stamp_ns),
            inliers=np.zeros(0, bool),
            parallax_px=0.0,
        )

    def points_of(self, matches: Matches) -> NDArray[np.float32]:
        """Return where the N cells of these matches were in the reference: (N, 2) pixels, NaN where not matched."""
        if self.matches is None:
            return matches.points_a
        points = np.full_like(matches.points_b, np.nan)
        _, index, reference_index = np.intersect1d(matches.cell_a, self.matches.cell_a, return_indices=True)
        points[index] = self.matches.points_b[reference_index]
        return points

    def common_depth_sensitivities(self, matches: Matches, motion: RelativePoseEstimate) -> tuple[Array, Array]:
        """Return the sensitivities of the reference and of a motion, (K, 6) each, to the depths of K common cells."""
        if self.tracked.motion is None or self.matches is None:
            return np.zeros((0, 6)), np.zeros((0, 6))
        _, reference_index, index = np.intersect1d(self.matches.cell_a, matches.cell_a, return_indices=True)
        return self.tracked.motion.depth_sensitivity[reference_index], motion.depth_sensitivity[index]
