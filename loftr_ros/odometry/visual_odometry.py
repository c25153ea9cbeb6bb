"""Frame-by-frame visual odometry against a keyframe.

LoFTR has no repeatable keypoints, but all images matched against one image a share the cells of its grid. So the
keyframe is always image a, and a cell of it is a track: inverse depth is stored, and fused, by cell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.matches import FeaturesT, Matcher, Matches
from loftr_ros.odometry.checks.input_checks import InputChecks
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.front_end import FrontEnd
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.gating import within_mahalanobis_gate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.image_quality import ImageQuality
from loftr_ros.odometry.images.resampling import resampled_to, same_pixels
from loftr_ros.odometry.images.validation import check_frame
from loftr_ros.odometry.mapping.keyframe import Keyframe, View, image_motion
from loftr_ros.odometry.mapping.keyframe_history import RecentKeyframes
from loftr_ros.odometry.motion_measurement import MotionMeasurement
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.published_pose import PublishedPose
from loftr_ros.odometry.revisits import Revisits
from loftr_ros.odometry.stage_clock import StageClock
from loftr_ros.odometry.states import LostReason, TrackingState
from loftr_ros.odometry.tracking.tracked_pose import TrackedPose
from loftr_ros.odometry.tracking.tracker import Tracker
from loftr_ros.odometry.tracking.transitions import FrameEvent

# Factor that relaxes the keyframe thresholds for degraded images.
# assumed: a blurred image of twice the motion makes the worse keyframe.
_DEGRADED_TOLERANCE = 2


@dataclass(frozen=True)
class _Observation(Generic[FeaturesT]):
    """Matches of a frame against a keyframe, and the tracked pose."""

    keyframe: Keyframe[FeaturesT]
    matches: Matches
    tracked: TrackedPose


class VisualOdometry(Generic[FeaturesT]):
    """Estimates the pose of each frame. Not thread-safe: one worker owns it."""

    def __init__(self, matcher: Matcher[FeaturesT], config: OdometryConfig | None = None) -> None:
        """Start at the origin of odom."""
        self._config = config or OdometryConfig()
        self._front_end = FrontEnd(matcher, self._config)
        self.reset()

    def invalidate_keyframe_features(self) -> None:
        """Extract the features of the keyframe again with the next frame: the matcher's settings have changed."""
        self._features_are_stale = True

    def reset(self) -> None:
        """Drop all state; the next frame is the origin of odom again."""
        self._features_are_stale = False
        self._keyframe: Keyframe[FeaturesT] | None = None
        self._recent: RecentKeyframes[FeaturesT] = RecentKeyframes(self._config.relocalization_keyframes)
        self._revisits = Revisits(self._front_end, self._config)
        self._last_frame: Frame | None = None
        self._tracker = Tracker(self._config)
        self._last_state: TrackingState | None = None
        self._last_stamp_ns, self._last_pose = 0, np.eye(4)
        self._motions: MotionMeasurement[FeaturesT] = MotionMeasurement(self._config, self._tracker)
        self._checks = InputChecks()
        self._published: PublishedPose[FeaturesT] = PublishedPose(self._config, self._checks)
        self._front_end.pair_fits = True

    def reconfigure(self, config: OdometryConfig) -> None:
        """Apply changed settings from the next frame on; only `runtime` fields of `OdometryConfig` may differ."""
        self._config = config
        self._front_end.reconfigure(config)
        self._revisits.reconfigure(config)
        self._published.reconfigure(config)
        self._tracker.reconfigure(config)
        self._motions.reconfigure(config)

    def set_unit(self, meters: float | None) -> None:
        """Set the length of a single camera's unit, meters, for the limit `max_speed`; None: unknown."""
        self._tracker.unit_m = meters

    def process(self, frame: Frame) -> OdometryEstimate:
        """Estimate the pose of the next frame.

        Raises:
            FrameError: the images do not fit the mode or the camera.
            StampError: the stamp is not after that of the frame before.
        """
        check_frame(frame, self._last_frame, self._config.mode)
        if self._last_frame is None:
            self._tracker.start(frame.stamp_ns)
        self._last_frame = frame
        clock = StageClock()
        with clock("check"):
            self._checks.add_frame(frame, self._last_state)
            if self._checks.repeated.is_repeated:
                return self._skip_repeated(frame, clock)
            quality = ImageQuality.of(frame.image)
        if quality.is_unusable:
            return self._skip_frame(frame, quality, clock)
        with clock("extract"):
            view = self._front_end.view(frame, quality)
        if self._keyframe is None:
            return self._initialize(view, clock)
        observation = self._match_against(self._resampled(self._keyframe, frame), view, clock)
        if observation.tracked.state is TrackingState.LOST:
            with clock("relocalize"):
                observation = self._relocalized(observation, view)
        with clock("keyframe"):
            self._keyframe, is_new = self._next_keyframe(observation, view)
        corrected = self._corrected(self._keyframe, clock) if is_new else None
        estimate = self._estimate(
            frame, observation.keyframe, observation.matches, observation.tracked, is_new, clock, corrected is not None
        )
        if corrected is not None:
            self._correct(corrected, estimate)
        return estimate

    def _corrected(self, keyframe: Keyframe[FeaturesT], clock: StageClock) -> Keyframe[FeaturesT] | None:
        """Return the new keyframe corrected by a revisit; None without one."""
        with clock("revisit"):
            return self._revisits.corrected(keyframe, self._motions.estimate)

    def _correct(self, corrected: Keyframe[FeaturesT], estimate: OdometryEstimate) -> None:
        """Continue from the corrected pose of a keyframe; the published pose follows gradually."""
        self._keyframe, self._last_pose = corrected, corrected.T_odom_camera
        self._published.correction.add(estimate.T_odom_camera, corrected.T_odom_camera)
        self._recent.retain(lambda keyframe: self._revisits.posed(keyframe) is not None)

    def _skip_frame(self, frame: Frame, quality: ImageQuality, clock: StageClock) -> OdometryEstimate:
        """Predict the pose of a frame without texture: before the first keyframe at the origin, motion unknown."""
        reason = quality.fault(None) or LostReason.NO_TEXTURE
        tracked = self._tracker.predict_lost(frame.stamp_ns, Matches.empty(), reason, FrameEvent.NO_TEXTURE)
        return self._estimate(frame, self._keyframe, Matches.empty(), tracked, False, clock)

    def _skip_repeated(self, frame: Frame, clock: StageClock) -> OdometryEstimate:
        """Predict the pose of a repeated image, which the tracker ignores like a dropped frame."""
        tracked = replace(self._tracker.predicted(frame.stamp_ns), lost_reason=LostReason.REPEATED)
        return self._estimate(frame, self._keyframe, Matches.empty(), tracked, False, clock)

    def _initialize(self, view: View[FeaturesT], clock: StageClock) -> OdometryEstimate:
        """Make the first frame with texture the first keyframe."""
        with clock("keyframe"):
            self._keyframe = Keyframe.first(view, self._front_end.stereo_depths(view, self._checks))
        self._motions.start(view.frame)
        self._revisits.restart(self._keyframe)
        tracked = self._tracker.last
        self._tracker.switch_keyframe(view.frame.stamp_ns, tracked)
        return self._estimate(view.frame, self._keyframe, Matches.empty(), tracked, True, clock)

    def _resampled(self, keyframe: Keyframe[FeaturesT], now: Frame) -> Keyframe[FeaturesT]:
        """Resample the keyframe to the pixels of this frame if the resolution of stream or matcher has changed."""
        if same_pixels(keyframe.frame.camera, now.camera) and not self._features_are_stale:
            return keyframe
        self._features_are_stale = False
        view = self._front_end.view(resampled_to(keyframe.frame, now))
        depths = self._front_end.stereo_depths(view, self._checks)
        keyframe = keyframe.resampled(view, self._tracker.last_matches, depths)
        self._tracker.invalidate_matches()
        self._recent.clear()
        self._revisits.restart(keyframe)
        return keyframe

    def _match_against(
        self, keyframe: Keyframe[FeaturesT], view: View[FeaturesT], clock: StageClock
    ) -> _Observation[FeaturesT]:
        """Match the frame against the keyframe, and track the pose."""
        matches = self._front_end.match(keyframe, view, clock)
        with clock("pose"):
            keyframe = keyframe.with_depth_of(matches, self._config)
            return _Observation(keyframe, matches, self._tracked(keyframe, view, matches))

    def _tracked(self, keyframe: Keyframe[FeaturesT], view: View[FeaturesT], matches: Matches) -> TrackedPose:
        """Hold the pose of a stationary camera, else measure it, else predict it."""
        stamp_ns, tracker = view.frame.stamp_ns, self._tracker
        motion_px = tracker.stationary_motion_px(matches)
        if motion_px is not None and self._is_within_limits(keyframe, stamp_ns, tracker.last.T_keyframe_camera):
            angle = motion_px / view.frame.camera.focal
            tracked = tracker.hold_stationary(stamp_ns, matches, angle, keyframe.median_depth(matches))
            self._checks.add_stationary(keyframe, view.frame, matches, tracked)
            return tracked
        normalized = keyframe.normalized(matches)
        predicted = tracker.predicted(stamp_ns, with_competing=False)
        motion = self._motions.guided(keyframe, view.frame, normalized, predicted)
        if motion and tracker.has_length(stamp_ns, motion) and self._is_possible(keyframe, stamp_ns, motion):
            motion = self._motions.accept(motion, keyframe.frame, stamp_ns, predicted)
            self._checks.add_motion(keyframe, view.frame, matches, normalized, motion)
            return tracker.update(stamp_ns, matches, motion)
        reason = view.quality.fault(keyframe.quality) or self._loss_reason(stamp_ns, matches, motion)
        return tracker.predict_lost(stamp_ns, matches, reason)

    def _loss_reason(self, stamp_ns: int, matches: Matches, motion: RelativePoseEstimate | None) -> LostReason:
        if motion is None:
            too_few = len(matches) < self._config.min_inliers
            return LostReason.FEW_MATCHES if too_few else LostReason.NO_MOTION_FITS
        if self._tracker.has_length(stamp_ns, motion):
            return LostReason.IMPOSSIBLE_MOTION
        return LostReason.NO_DEPTH if self._front_end.pair_fits else LostReason.NO_STEREO

    def _is_possible(self, keyframe: Keyframe[FeaturesT], stamp_ns: int, motion: RelativePoseEstimate) -> bool:
        within_limits = self._is_within_limits(keyframe, stamp_ns, motion.T_keyframe_camera)
        return within_limits and self._tracker.is_possible(stamp_ns, motion)

    def _is_within_limits(self, keyframe: Keyframe[FeaturesT], stamp_ns: int, T_keyframe_camera: Array) -> bool:
        """Check the step from the last estimate, which may be a prediction, against the motion limits."""
        step = se3.inverse(self._last_pose) @ keyframe.T_odom_camera @ T_keyframe_camera
        return self._tracker.within_motion_limits(step, 1e-9 * (stamp_ns - self._last_stamp_ns))

    def _relocalized(self, lost: _Observation[FeaturesT], view: View[FeaturesT]) -> _Observation[FeaturesT]:
        """Try one earlier keyframe, and reacquire it if a full pose lies within the gate of the prediction."""
        earlier = self._recent.next()
        earlier = earlier and self._revisits.posed(earlier)
        if earlier is None:
            return lost
        matches = self._front_end.match(earlier, view)
        keyframe = earlier.with_depth_of(matches, self._config)
        T_predicted, covariance = self._revisits.relative_to(keyframe, lost.keyframe, *lost.tracked.pose)
        motion = self._motions.estimate(keyframe, view.frame, keyframe.normalized(matches), T_predicted[:3, 3])
        if motion is None or motion.observable is not ObservableDof.FULL:
            return lost
        if not self._is_within_limits(keyframe, view.frame.stamp_ns, motion.T_keyframe_camera):
            return lost
        if not within_mahalanobis_gate(motion.T_keyframe_camera, motion.covariance, T_predicted, covariance):
            return lost
        self._recent.return_to(earlier)
        self._revisits.return_to(earlier)
        return _Observation(keyframe, matches, self._tracker.reacquire(view.frame.stamp_ns, matches, motion))

    def _next_keyframe(
        self, observation: _Observation[FeaturesT], view: View[FeaturesT]
    ) -> tuple[Keyframe[FeaturesT], bool]:
        """Update the depth of the keyframe, or replace it by the frame and propagate its depth; returns whether."""
        matches, tracked = observation.matches, observation.tracked
        old = observation.keyframe.with_triangulated_depth(matches, tracked.motion, self._config)
        tolerance_factor = _DEGRADED_TOLERANCE if view.quality.fault(old.quality) else 1
        if tracked.motion is not None:
            should_replace = old.should_replace(matches, tracked.motion, self._config, tolerance_factor)
        else:
            should_replace = self._tracker.lost_frames >= tolerance_factor * self._config.lost_frames_to_restart
        if not should_replace:
            return old, False
        lost = tracked.state is TrackingState.LOST
        if not lost or self._tracker.last.state is not TrackingState.LOST:  # else it was never tracked: of no use
            self._recent.add(old, image_motion(matches.points_a, matches.points_b), lost)
        self._tracker.switch_keyframe(view.frame.stamp_ns, tracked)
        depths = self._front_end.stereo_depths(view, self._checks)
        successor = old.successor(view, *tracked.pose, matches.select(tracked.inliers), depths)
        self._revisits.add(old, matches, tracked, successor, self._recent)
        return successor, True

    def _estimate(
        self,
        frame: Frame,
        keyframe: Keyframe[FeaturesT] | None,
        matches: Matches,
        tracked: TrackedPose,
        is_keyframe: bool,
        clock: StageClock,
        is_revisit: bool = False,
    ) -> OdometryEstimate:
        """Compose the pose in odom, which is that of the first keyframe, and publish it."""
        T_odom_camera, covariance = keyframe.in_odom(*tracked.pose) if keyframe else tracked.pose
        if tracked.lost_reason is not LostReason.REPEATED:
            self._last_stamp_ns, self._last_pose, self._last_state = frame.stamp_ns, T_odom_camera, tracked.state
        return self._published.estimate(
            frame, keyframe, matches, tracked, (T_odom_camera, covariance), is_keyframe, is_revisit, clock.timings_ms
        )
