"""The pose of a frame in the keyframe: measured, held or predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.states import LostReason, TrackingState


@dataclass(frozen=True)
class TrackedPose:
    """Pose and velocity of the camera at one frame, relative to the keyframe.

    Attributes:
        state: whether the pose is measured, held or predicted.
        T_keyframe_camera, covariance: (4, 4) and (6, 6), see `estimator.RelativePoseEstimate`.
        twist, twist_covariance: (6,) and (6, 6), see `estimate.OdometryEstimate`.
        inliers: (N,) bool, matches that fit the pose.
        parallax_px: see `estimator.RelativePoseEstimate`.
        motion: the measurement; None if the pose is held or predicted.
        lost_reason: why there is no measurement, in the state LOST.
        without_competing: (6, 6) covariances of pose and twist without those of competing motions; None if there was
            no competing motion.
    """

    state: TrackingState
    T_keyframe_camera: Array
    covariance: Array
    twist: Array
    twist_covariance: Array
    inliers: NDArray[np.bool_]
    parallax_px: float
    motion: RelativePoseEstimate | None = None
    lost_reason: LostReason | None = None
    without_competing: tuple[Array, Array] | None = None

    @property
    def pose(self) -> tuple[Array, Array]:
        """T_keyframe_camera and its covariance."""
        return self.T_keyframe_camera, self.covariance
