"""Motion between keyframe and frame, with what earlier frames say about its length, bias and competing motions."""

from __future__ import annotations

from typing import Generic

from loftr_ros.arrays import Array
from loftr_ros.matches import FeaturesT
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.disparity_bias import NO_BIAS, DisparityBias
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate, estimate_relative_pose
from loftr_ros.odometry.pose.guided_matching import fits_gated, gated_matches, needs_guided_pass, selected
from loftr_ros.odometry.pose.hypotheses import MAX_ERROR_PX
from loftr_ros.odometry.tracking.correlated_errors import AmbiguousDirectionMemory, CompetingMotionMemory
from loftr_ros.odometry.tracking.tracked_pose import TrackedPose
from loftr_ros.odometry.tracking.tracker import Tracker


class MotionMeasurement(Generic[FeaturesT]):
    """Measures motions; those that are accepted are the prior knowledge of the next ones."""

    def __init__(self, config: OdometryConfig, tracker: Tracker) -> None:
        """Start without earlier motions; the tracker gives the recent speed and the last measured pose."""
        self._config, self._tracker = config, tracker
        self._disparity_bias = NO_BIAS
        self._competing_motions, self._ambiguous_direction = CompetingMotionMemory(), AmbiguousDirectionMemory()

    def reconfigure(self, config: OdometryConfig) -> None:
        """Apply changed settings from the next frame on."""
        self._config = config

    def start(self, frame: Frame) -> None:
        """Start at the first keyframe: the disparity bias of its rig is unknown."""
        if self._config.mode == "stereo" and frame.rig is not None:
            per_pixel = 1.0 / (frame.camera.focal * frame.rig.baseline)
            self._disparity_bias = DisparityBias.unknown(self._config.disparity_bias_px * per_pixel)

    def estimate(
        self,
        keyframe: Keyframe[FeaturesT],
        frame: Frame,
        matches: NormalizedMatches,
        position: Array,
        T_predicted: Array | None = None,
    ) -> RelativePoseEstimate | None:
        """Estimate the relative pose with the scale uncertainty of the keyframe; see `estimate_relative_pose`."""
        baseline = self._tracker.baseline(1e-9 * (frame.stamp_ns - keyframe.frame.stamp_ns))
        focal, config, bias = frame.camera.focal, self._config, self._disparity_bias
        motion = estimate_relative_pose(matches, focal, position, baseline, config, bias, T_predicted)
        return motion and motion.with_scale_sigma(keyframe.drift)

    def guided(
        self, keyframe: Keyframe[FeaturesT], frame: Frame, matches: NormalizedMatches, predicted: TrackedPose
    ) -> RelativePoseEstimate | None:
        """Estimate the motion, with a guided pass over the matches in the gate of the prediction if needed."""
        T_predicted, covariance = predicted.pose
        position = self._tracker.last.T_keyframe_camera[:3, 3]
        motion = self.estimate(keyframe, frame, matches, position, T_predicted)
        if not needs_guided_pass(motion, T_predicted, covariance):
            return motion
        gated = gated_matches(matches, T_predicted, covariance, MAX_ERROR_PX / frame.camera.focal)
        if fits_gated(motion, gated):
            return motion
        guided = self.estimate(keyframe, frame, matches.select(gated), position)
        return selected(motion, guided, gated, self._tracker.is_sudden(frame.stamp_ns, motion))

    def accept(
        self, motion: RelativePoseEstimate, keyframe: Frame, stamp_ns: int, predicted: TrackedPose
    ) -> RelativePoseEstimate:
        """Return the motion with the covariance of errors that last, and remember it.

        Args:
            motion: of the frame, within all limits.
            keyframe: the frame that it is relative to.
            stamp_ns: of the frame, nanoseconds.
            predicted: the pose predicted without it.
        """
        previous_ns = self._tracker.stamp_ns
        self._disparity_bias = motion.disparity_bias
        if self._tracker.is_sudden(stamp_ns, motion):
            self._competing_motions.add_sudden_motion(motion, predicted.T_keyframe_camera, previous_ns, stamp_ns)
        motion = self._competing_motions.inflated(motion, keyframe.stamp_ns, previous_ns, stamp_ns)
        return self._ambiguous_direction.inflated(motion, keyframe.stamp_ns)
