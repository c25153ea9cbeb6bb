"""What the odometry says about one frame."""

from __future__ import annotations

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

# Consumers refuse covariances beyond 1e9 (Nav2's message validator); the step from camera to base may add to these.
_LARGEST_COVARIANCE = 1e8


@dataclass(frozen=True)
class OdometryEstimate:
    """Pose and velocity of the camera at one frame. Every array is finite, in every state.

    The camera frame is optical: x right, y down, z forward. The odom frame is the camera frame of the first frame.
    Lengths are metres if `scale_known`, else units of the median distance of what the first frames show; in the modes
    stereo and rgbd nothing but the origin has been measured then.

    Attributes:
        stamp_ns: stamp of the frame, integer nanoseconds.
        T_odom_camera: (4, 4) float64 pose.
        pose_covariance: (6, 6) of (x, y, z, rot_x, rot_y, rot_z) in the axes of odom, as in
            geometry_msgs/PoseWithCovariance: position error added, rotation error about the fixed axes of odom.
            It accumulates along the path. Symmetric, positive definite.
        twist: (6,) body velocity (vx, vy, vz, wx, wy, wz) in the axes of the camera, 1/s.
        twist_covariance: (6, 6) likewise.
        state: how this pose came about.
        matches: the matches that were used, polished; empty for the first frame.
        inliers: (N,) bool, the matches that agree with the pose.
        reference: the frame that is image a of `matches` (the keyframe they were made against); None if empty.
        parallax_px: median image motion since `reference` that rotation does not explain, pixels.
        timings_ms: milliseconds by stage, in the order in which the stages ran.
        scale_known: whether lengths are metres: in the modes stereo and rgbd, from the first keyframe with depth on.
        is_keyframe: whether this frame is the keyframe of those that follow.
        lost_reason: why nothing was measured; set in the state LOST, and where not even a first keyframe was possible.
        degeneracies: what makes the measured motion less than it seems; empty if there was none.
        landmarks: the matches in space; None without matches.
        input_warnings: faults of camera, calibration or driver that the images show, each with its measured figure.
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
    lost_reason: LostReason | None = None
    degeneracies: tuple[Degeneracy, ...] = ()
    landmarks: Landmarks | None = None
    input_warnings: tuple[InputWarning, ...] = ()

    @property
    def num_matches(self) -> int:
        """Number of matches."""
        return len(self.matches)

    @property
    def remarks(self) -> tuple[str, ...]:
        """In words, what this pose suffers from: why it is none, what makes it less than it seems, faulty input."""
        reason = (self.lost_reason.value,) if self.lost_reason else ()
        faults = (warning.fault.value for warning in self.input_warnings)
        return (*reason, *(degeneracy.value for degeneracy in self.degeneracies), *faults)

    @property
    def num_inliers(self) -> int:
        """Number of matches that agree with the pose."""
        return int(self.inliers.sum())


def bounded_covariance(covariance: Array) -> Array:
    """Scale down a (6, 6) covariance that has grown beyond what consumers take, and keep it positive definite."""
    return se3.well_conditioned(covariance * min(1.0, _LARGEST_COVARIANCE / np.abs(covariance).max()))
