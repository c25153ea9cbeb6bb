"""Result of the odometry for one frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputWarning
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.landmarks import Landmarks
from loftr_ros.odometry.states import Degeneracy, LostReason, TrackingState

# Upper bound of a covariance: Nav2's message validator rejects 1e9, and the transform from camera to base may add.
# numerical: a tenth of the limit of that consumer.
_MAX_COVARIANCE = 1e8


@dataclass(frozen=True)
class OdometryEstimate:
    """Pose and twist of the camera at one frame. Every array is finite, in every state.

    The camera frame is optical (REP 103: x right, y down, z forward). The odom frame is the camera frame of the first
    frame with texture. Lengths are meters if `scale_known`, else units of the median distance of the first scene; in
    the modes stereo and rgbd no motion has been measured then.

    Attributes:
        stamp_ns: stamp of the frame, integer nanoseconds.
        T_odom_camera: (4, 4) float64 pose.
        pose_covariance: (6, 6) of (x, y, z, rot_x, rot_y, rot_z) in the axes of odom, as in
            geometry_msgs/PoseWithCovariance: position error added, rotation error about the fixed axes of odom.
            It accumulates along the path. Symmetric, positive definite.
        twist: (6,) body twist (vx, vy, vz, wx, wy, wz) in the axes of the camera, m/s (or units/s) and rad/s.
        twist_covariance: (6, 6) likewise.
        state: tracking state.
        matches: against `reference`, with sub-pixel refinement; empty for the first frame.
        inliers: (N,) bool, the matches that fit the pose.
        reference: the keyframe, image a of `matches`; None if they are empty.
        parallax_px: median image motion since `reference` that rotation does not explain, pixels.
        timings_ms: milliseconds by stage, in order of execution.
        scale_known: whether lengths are metric: in the modes stereo and rgbd, from the first keyframe with depth on.
        is_keyframe: whether this frame is the keyframe of the following ones.
        is_revisit: whether this keyframe was matched with an earlier one that the camera has returned to; the pose is
            corrected gradually over the frames after it.
        lost_reason: reason of the state LOST, and of a first keyframe that is still missing.
        degeneracies: of the measured motion.
        landmarks: the matches in space; None without matches.
        input_warnings: faults of camera, calibration or driver detected in the images, each with its measured value.
        focal_sigma: relative standard deviation of the focal length according to the motion so far; infinite while
            unknown. A wrong focal length within it goes unnoticed.
    """

    stamp_ns: int
    T_odom_camera: Array
    pose_covariance: Array
    twist: Array
    twist_covariance: Array
    state: TrackingState
    matches: Matches
    inliers: NDArray[np.bool_]
    reference: Frame | None
    parallax_px: float
    timings_ms: Mapping[str, float]
    scale_known: bool
    is_keyframe: bool
    is_revisit: bool = False
    lost_reason: LostReason | None = None
    degeneracies: tuple[Degeneracy, ...] = ()
    landmarks: Landmarks | None = None
    input_warnings: tuple[InputWarning, ...] = ()
    focal_sigma: float = math.inf

    @property
    def num_matches(self) -> int:
        """Number of matches."""
        return len(self.matches)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Texts of the lost reason, the degeneracies and the input warnings."""
        reason = (self.lost_reason.value,) if self.lost_reason else ()
        faults = (warning.fault.value for warning in self.input_warnings)
        return (*reason, *(degeneracy.value for degeneracy in self.degeneracies), *faults)

    @property
    def num_inliers(self) -> int:
        """Number of matches that fit the pose."""
        return int(self.inliers.sum())


def bounded_covariance(covariance: Array) -> Array:
    """Return a (6, 6) covariance scaled down to the upper bound of consumers, and positive definite."""
    return se3.well_conditioned(covariance * min(1.0, _MAX_COVARIANCE / np.abs(covariance).max()))
