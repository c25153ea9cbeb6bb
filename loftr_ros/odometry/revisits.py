"""Revisits: a new keyframe is matched with an earlier one of nearly the same view, which corrects the drift.

Only keyframes that the camera has left and returned to: their poses have less drift than the path since. The measured
pose has to lie within the gate of the joint distribution of all keyframe poses, so no correction exceeds what the
covariances announce.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, Protocol

from loftr_ros.arrays import Array
from loftr_ros.matches import FeaturesT, Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.front_end import FrontEnd
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.joint_poses import JointPoses
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.mapping.keyframe_history import RecentKeyframes, relative_to
from loftr_ros.odometry.mapping.keyframe_map import KeyframeMap
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.states import Degeneracy
from loftr_ros.odometry.tracking.tracked_pose import TrackedPose

# Degeneracies with which a revisit is rejected: the pose is one of several that fit.
_AMBIGUOUS = {Degeneracy.COMPETING_MOTION, Degeneracy.AMBIGUOUS_DIRECTION}
# Relative standard deviation that a keyframe of a single camera adds to the length unit.
# assumed: up to 11 % in 30 keyframes; simulated and recorded walks had 2 to 13 % in 30 frames (docs/odometry.md).
_MONO_SCALE_SIGMA = 0.02


class EstimateMotion(Protocol[FeaturesT]):
    """Relative pose of a keyframe and a frame; see `estimate_relative_pose`."""

    def __call__(
        self, keyframe: Keyframe[FeaturesT], frame: Frame, matches: NormalizedMatches, position: Array
    ) -> RelativePoseEstimate | None:
        """Estimate it."""
        ...


class Revisits(Generic[FeaturesT]):
    """The map of past keyframes, and the corrections by matching them again."""

    def __init__(self, front_end: FrontEnd[FeaturesT], config: OdometryConfig) -> None:
        """Start without keyframes."""
        self._front_end, self._config = front_end, config
        self._has_corrected = False
        self._map: KeyframeMap[FeaturesT] | None = None
        if config.revisit_keyframes > 0:
            self._map = KeyframeMap(config.revisit_keyframes + 1)

    def reconfigure(self, config: OdometryConfig) -> None:
        """Apply changed settings from the next frame on."""
        self._config = config

    def restart(self, keyframe: Keyframe[FeaturesT]) -> None:
        """Drop all keyframes but this one: the first one, or one of another resolution."""
        self._has_corrected = False
        if self._map is not None:
            self._map.restart(keyframe)

    def return_to(self, keyframe: Keyframe[FeaturesT]) -> None:
        """Make an earlier keyframe the current one again."""
        if self._map is not None:
            self._map.return_to(keyframe)

    def add(
        self,
        retired: Keyframe[FeaturesT],
        matches: Matches,
        tracked: TrackedPose,
        successor: Keyframe[FeaturesT],
        recent: RecentKeyframes[FeaturesT],
    ) -> None:
        """Add the successor of the current keyframe.

        Args:
            retired: the current keyframe, with all of its depths.
            matches, tracked: of the two.
            successor: the new current one.
            recent: the keyframes for relocalization, which stay stored.
        """
        if self._map is not None:
            scale_sigma = _MONO_SCALE_SIGMA if self._config.mode == "mono" else 0.0
            self._map.add(retired, matches, successor, *tracked.pose, scale_sigma, recent.stamps_ns)

    def corrected(
        self, current: Keyframe[FeaturesT], estimate_motion: EstimateMotion[FeaturesT]
    ) -> Keyframe[FeaturesT] | None:
        """Match the current keyframe with an earlier one, and return it with its corrected pose.

        Returns:
            None without a revisit.
        """
        index = self._map.revisited() if self._map is not None else None
        if self._map is None or index is None:
            return None
        earlier = self._earlier(self._map, index)
        matches = self._front_end.match(earlier, current)
        earlier = earlier.with_depth_of(matches, self._config)
        T_predicted = se3.inverse(earlier.T_odom_camera) @ current.T_odom_camera
        motion = estimate_motion(earlier, current.frame, earlier.normalized(matches), T_predicted[:3, 3])
        if motion is None or not _is_unambiguous(motion):
            return None
        if not self._map.correct(index, *motion.pose):
            return None
        self._has_corrected = True
        return self.posed(current)

    def posed(self, keyframe: Keyframe[FeaturesT]) -> Keyframe[FeaturesT] | None:
        """Return a keyframe as corrected since it was added; None if it is no longer stored."""
        if self._map is None or not self._has_corrected:
            return keyframe
        index = self._map.index_of(keyframe.frame)
        return None if index is None else _posed(keyframe, self._map.joint, index)

    def relative_to(
        self, earlier: Keyframe[FeaturesT], current: Keyframe[FeaturesT], T_current_camera: Array, covariance: Array
    ) -> tuple[Array, Array]:
        """Return a pose in the current keyframe, and its (6, 6) covariance, relative to an earlier keyframe.

        Before the first correction both are on one path, after it their errors have the correlation of the map.
        """
        T_odom_camera, in_odom = current.in_odom(T_current_camera, covariance)
        indices = [self._map.index_of(keyframe.frame) for keyframe in (earlier, current)] if self._map else [None]
        if self._map is None or not self._has_corrected or indices[0] is None or indices[-1] is None:
            return relative_to(earlier, T_odom_camera, in_odom)
        between = self._map.joint.relative_covariance(indices[0], indices[-1])
        in_odom = se3.composed_covariance(current.T_odom_camera, between, T_current_camera, covariance)
        adjoint = se3.rotation_adjoint(earlier.T_odom_camera[:3, :3])
        return se3.inverse(earlier.T_odom_camera) @ T_odom_camera, se3.symmetric(adjoint.T @ in_odom @ adjoint)

    def _earlier(self, stored: KeyframeMap[FeaturesT], index: int) -> Keyframe[FeaturesT]:
        """Return a stored keyframe, with features and pose; what is computed from its image is not stored with it."""
        place = stored.place(index)
        keyframe = place.keyframe
        if place.features is None:
            place.features = self._front_end.view(keyframe.frame, keyframe.quality).features
        keyframe = replace(keyframe, features=place.features, frame=replace(keyframe.frame))
        return _posed(keyframe, stored.joint, index)


def _posed(keyframe: Keyframe[FeaturesT], joint: JointPoses, index: int) -> Keyframe[FeaturesT]:
    posed = replace(keyframe, T_odom_camera=joint.poses[index], covariance=joint.covariance(index))
    return posed.scaled(joint.scales[index])


def _is_unambiguous(motion: RelativePoseEstimate) -> bool:
    """Return whether all of a pose was measured, and no other pose fits as well."""
    is_full = motion.observable is ObservableDof.FULL
    return bool(is_full and motion.has_majority and not _AMBIGUOUS & set(motion.degeneracies))
