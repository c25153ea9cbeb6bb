"""Frame-by-frame visual odometry against a keyframe.

LoFTR has no repeatable keypoints, but all images matched against one image a share the cells of its grid. So the
keyframe is always image a, and a cell of it is a track: depth is known, and improved, by cell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import FeaturesT, Matcher, Matches
from loftr_ros.odometry.checks.input_checks import InputChecks
from loftr_ros.odometry.checks.length_error import LengthError
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate, bounded_covariance
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.gating import within_mahalanobis_gate
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.image_quality import ImageQuality
from loftr_ros.odometry.images.resampling import as_seen_by, same_pixels
from loftr_ros.odometry.images.subpixel import polish
from loftr_ros.odometry.images.validation import check_frame
from loftr_ros.odometry.mapping.inverse_depth import CellDepths, depths_from_stereo
from loftr_ros.odometry.mapping.keyframe import Keyframe, View, image_motion
from loftr_ros.odometry.mapping.keyframe_history import RecentKeyframes, seen_from
from loftr_ros.odometry.mapping.landmarks import Landmarks
from loftr_ros.odometry.pose.disparity_bias import NO_BIAS, DisparityBias
from loftr_ros.odometry.pose.estimator import (
    COVARIANCE_FLOOR,
    LARGEST_ERROR_PX,
    RelativePoseEstimate,
    estimate_relative_pose,
)
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.pose.guided_matching import fits_gated, gated_matches, needs_guided_pass, selected
from loftr_ros.odometry.stage_clock import StageClock
from loftr_ros.odometry.states import LostReason, TrackingState
from loftr_ros.odometry.tracking.lasting_doubt import AmbiguousDirection, LastingDoubt
from loftr_ros.odometry.tracking.tracker import TrackedPose, Tracker

# A keyframe has to bear so many times more before a frame with a faulty image replaces it.
_DEGRADED_TOLERANCE = 2
# A stereo pair of which less than this share of the matches is surely nearer than infinity tells no length: noise makes
# a few in a hundred seem so.
_LEAST_DEPTH = 0.1


@dataclass(frozen=True)
class _Observation(Generic[FeaturesT]):
    """What a keyframe tells about a frame."""

    keyframe: Keyframe[FeaturesT]
    matches: Matches
    fix: TrackedPose


class VisualOdometry(Generic[FeaturesT]):
    """Turns frames into poses. Not thread-safe: one worker owns it."""

    def __init__(self, matcher: Matcher[FeaturesT], config: OdometryConfig | None = None) -> None:
        """Start at the origin of odom, with nothing seen yet."""
        self._matcher = matcher
        self._config = config or OdometryConfig()
        self.reset()

    def invalidate_keyframe_features(self) -> None:
        """Show the matcher the keyframe again with the next frame, because from then on it sees images otherwise."""
        self._features_are_stale = True

    def reset(self) -> None:
        """Forget everything; the next frame is the origin of odom again."""
        self._features_are_stale = False
        self._keyframe: Keyframe[FeaturesT] | None = None
        self._recent: RecentKeyframes[FeaturesT] = RecentKeyframes(self._config.relocalization_keyframes)
        self._last_frame: Frame | None = None
        self._track = Tracker(self._config)
        self._last_state: TrackingState | None = None
        self._last_stamp_ns, self._last_pose = 0, np.eye(4)
        self._offset = NO_BIAS
        self._checks, self._length_error = InputChecks(), LengthError()
        self._doubt, self._ambiguous_direction = LastingDoubt(), AmbiguousDirection()
        self._is_metric, self._pair_fits = False, True

    def reconfigure(self, config: OdometryConfig) -> None:
        """Go by other limits of motion (`max_...`) from the next frame on; nothing else may differ."""
        self._config = config
        self._track.reconfigure(config)

    def set_unit(self, metres: float | None) -> None:
        """Set the length of a single camera's unit, in metres, for the limit `max_speed`; None if it is not known."""
        self._track.unit_m = metres

    def process(self, frame: Frame) -> OdometryEstimate:
        """Estimate the pose of the next frame.

        Raises:
            FrameError: the images do not fit the mode or the camera.
            StampError: the stamp is not after that of the frame before.
        """
        check_frame(frame, self._last_frame, self._config.mode)
        self._last_frame = frame
        clock = StageClock()
        with clock("check"):
            self._checks.add_frame(frame, self._last_state)
            if self._checks.repeated.is_repeated:
                return self._skip(frame, clock)
            quality = ImageQuality.of(frame.image)
        if quality.hopeless:
            return self._skip_frame(frame, quality, clock)
        with clock("extract"):
            view = View(frame, self._matcher.extract(frame.image), quality)
        if self._keyframe is None:
            return self._initialize(view, clock)
        observation = self._match_against(self._resampled(self._keyframe, frame), view, clock)
        if observation.fix.state is TrackingState.LOST:
            with clock("relocalize"):
                observation = self._relocalized(observation, view)
        with clock("keyframe"):
            self._keyframe, renewed = self._next_keyframe(observation, view)
        return self._report(frame, observation.keyframe, observation.matches, observation.fix, renewed, clock)

    def _skip_frame(self, frame: Frame, quality: ImageQuality, clock: StageClock) -> OdometryEstimate:
        """Predict the pose of a frame that shows nothing; while there is no keyframe, the camera is at the origin."""
        reason = quality.fault(None) or LostReason.NO_TEXTURE
        fix = self._track.predict_lost(frame.stamp_ns, Matches.empty(), reason, hopeless=True)
        return self._report(frame, self._keyframe, Matches.empty(), fix, False, clock)

    def _skip(self, frame: Frame, clock: StageClock) -> OdometryEstimate:
        """Predict the pose at a repeated image, which the track ignores like one that never arrived."""
        fix = replace(self._track.predicted(frame.stamp_ns), lost_reason=LostReason.REPEATED)
        return self._report(frame, self._keyframe, Matches.empty(), fix, False, clock)

    def _initialize(self, view: View[FeaturesT], clock: StageClock) -> OdometryEstimate:
        """Make the first frame that shows something the first keyframe."""
        with clock("keyframe"):
            self._keyframe = Keyframe.first(view, self._measured_depths(view.frame, view.features))
        if self._config.mode == "stereo" and view.frame.rig is not None:
            per_pixel = 1.0 / (view.frame.camera.focal * view.frame.rig.baseline)
            self._offset = DisparityBias.unknown(self._config.disparity_offset_px * per_pixel)
        fix = self._track.last
        self._track.switch_keyframe(view.frame.stamp_ns, fix)
        return self._report(view.frame, self._keyframe, Matches.empty(), fix, True, clock)

    def _resampled(self, keyframe: Keyframe[FeaturesT], now: Frame) -> Keyframe[FeaturesT]:
        """Give the keyframe the pixels of this frame, if the resolution of the stream or of the matcher has changed."""
        if same_pixels(keyframe.frame.camera, now.camera) and not self._features_are_stale:
            return keyframe
        self._features_are_stale = False
        frame = as_seen_by(keyframe.frame, now)
        view = View(frame, self._matcher.extract(frame.image), ImageQuality.of(frame.image))
        keyframe = keyframe.resampled(view, self._track.last_matches, self._measured_depths(frame, view.features))
        self._track.forget_cells()
        self._recent.clear()
        return keyframe

    def _match_against(
        self, keyframe: Keyframe[FeaturesT], view: View[FeaturesT], clock: StageClock
    ) -> _Observation[FeaturesT]:
        """Match the frame against the keyframe, and find out where that puts the camera."""
        with clock("match"):
            matches = self._matcher.match(keyframe.features, view.features).finite()
        with clock("polish"):
            matches = self._polish(keyframe.frame, view.frame.image, matches)
        with clock("pose"):
            keyframe = keyframe.with_depth_of(matches, self._config)
            return _Observation(keyframe, matches, self._locate(keyframe, view, matches))

    def _locate(self, keyframe: Keyframe[FeaturesT], view: View[FeaturesT], matches: Matches) -> TrackedPose:
        """Hold the pose of a camera that stands still, measure it where matches agree, predict it elsewhere."""
        stamp_ns, track = view.frame.stamp_ns, self._track
        still_px = track.still_px(matches)
        if still_px is not None and self._is_within_limits(keyframe, stamp_ns, track.last.T_keyframe_camera):
            self._checks.add_still(view.frame, matches)
            return track.hold_stationary(
                stamp_ns, matches, still_px / view.frame.camera.focal, keyframe.distance(matches)
            )
        rays, position = keyframe.rays(matches), track.last.T_keyframe_camera[:3, 3]
        predicted = track.predicted(stamp_ns, doubted=False).pose
        motion = self._motion(keyframe, view.frame, rays, position, predicted[0])
        if needs_guided_pass(motion, *predicted):
            expected = gated_matches(rays, *predicted, LARGEST_ERROR_PX / view.frame.camera.focal)
            if not fits_gated(motion, expected):
                again = self._motion(keyframe, view.frame, rays.select(expected), position)
                motion = selected(motion, again, expected, track.is_sudden(stamp_ns, motion))
        if motion and track.has_length(stamp_ns, motion) and self._is_possible(keyframe, stamp_ns, motion):
            self._offset = motion.offset
            if track.is_sudden(stamp_ns, motion):
                self._doubt.suddenly(motion, predicted[0], track.stamp_ns, stamp_ns)
            motion = self._doubt.of(motion, keyframe.frame.stamp_ns, track.stamp_ns, stamp_ns)
            motion = self._ambiguous_direction.of(motion, keyframe.frame.stamp_ns)
            self._checks.add_motion(keyframe, view.frame, matches, rays, motion)
            return track.update(stamp_ns, matches, motion)
        reason = view.quality.fault(keyframe.quality) or self._loss_reason(stamp_ns, matches, motion)
        return track.predict_lost(stamp_ns, matches, reason)

    def _motion(
        self,
        keyframe: Keyframe[FeaturesT],
        frame: Frame,
        rays: NormalizedMatches,
        position: NDArray[np.float64],
        T_expected: NDArray[np.float64] | None = None,
    ) -> RelativePoseEstimate | None:
        baseline = self._track.baseline(1e-9 * (frame.stamp_ns - keyframe.frame.stamp_ns))
        focal, config, offset = frame.camera.focal, self._config, self._offset
        motion = estimate_relative_pose(rays, focal, position, baseline, config, offset, T_expected)
        return motion and motion.with_scale_sigma(keyframe.drift)

    def _loss_reason(self, stamp_ns: int, matches: Matches, motion: RelativePoseEstimate | None) -> LostReason:
        if motion is None:
            too_few = len(matches) < self._config.min_inliers
            return LostReason.FEW_MATCHES if too_few else LostReason.NO_MOTION_FITS
        if self._track.has_length(stamp_ns, motion):
            return LostReason.IMPOSSIBLE_MOTION
        return LostReason.NO_DEPTH if self._pair_fits else LostReason.NO_STEREO

    def _is_possible(self, keyframe: Keyframe[FeaturesT], stamp_ns: int, motion: RelativePoseEstimate) -> bool:
        within_limits = self._is_within_limits(keyframe, stamp_ns, motion.T_keyframe_camera)
        return within_limits and self._track.is_possible(stamp_ns, motion)

    def _is_within_limits(
        self, keyframe: Keyframe[FeaturesT], stamp_ns: int, T_keyframe_camera: NDArray[np.float64]
    ) -> bool:
        """Check the step from the last estimate, which may be a prediction, against the limits of motion."""
        step = se3.inverse(self._last_pose) @ keyframe.T_odom_camera @ T_keyframe_camera
        return self._track.within_motion_limits(step, 1e-9 * (stamp_ns - self._last_stamp_ns))

    def _relocalized(self, lost: _Observation[FeaturesT], view: View[FeaturesT]) -> _Observation[FeaturesT]:
        """Try one earlier keyframe, and take it up again if it knows this place and the prediction allows for it."""
        earlier = self._recent.next()
        if earlier is None:
            return lost
        matches = self._matcher.match(earlier.features, view.features).finite()
        matches = self._polish(earlier.frame, view.frame.image, matches)
        keyframe = earlier.with_depth_of(matches, self._config)
        T_predicted, covariance = seen_from(keyframe, *lost.keyframe.in_odom(*lost.fix.pose))
        motion = self._motion(keyframe, view.frame, keyframe.rays(matches), T_predicted[:3, 3])
        if motion is None or motion.observable is not ObservableDof.FULL:
            return lost
        if not self._is_within_limits(keyframe, view.frame.stamp_ns, motion.T_keyframe_camera):
            return lost
        if not within_mahalanobis_gate(motion.T_keyframe_camera, motion.covariance, T_predicted, covariance):
            return lost
        self._recent.return_to(earlier)
        return _Observation(keyframe, matches, self._track.reacquire(view.frame.stamp_ns, matches, motion))

    def _next_keyframe(
        self, observation: _Observation[FeaturesT], view: View[FeaturesT]
    ) -> tuple[Keyframe[FeaturesT], bool]:
        """Let the keyframe learn from the frame, or be replaced by it; tells whether it was.

        The depth of the old one carries over along the matches.
        """
        matches, fix = observation.matches, observation.fix
        old = observation.keyframe.with_triangulated_depth(matches, fix.motion, self._config)
        tolerance_factor = _DEGRADED_TOLERANCE if view.quality.fault(old.quality) else 1
        if not self._should_replace(old, matches, fix, tolerance_factor):
            return old, False
        lost = fix.state is TrackingState.LOST
        if not lost or self._track.last.state is not TrackingState.LOST:  # else it was never seen again: of no use
            self._recent.add(old, image_motion(matches.points_a, matches.points_b), lost)
        self._track.switch_keyframe(view.frame.stamp_ns, fix)
        depths = self._measured_depths(view.frame, view.features)
        return old.successor(view, *fix.pose, matches.select(fix.inliers), depths), True

    def _should_replace(
        self, keyframe: Keyframe[FeaturesT], matches: Matches, fix: TrackedPose, tolerance_factor: float
    ) -> bool:
        """Tell whether this frame should replace the keyframe."""
        if fix.motion is not None:
            return keyframe.should_replace(matches, fix.motion, self._config, tolerance_factor)
        return self._track.lost_frames >= tolerance_factor * self._config.lost_frames_to_restart

    def _measured_depths(self, frame: Frame, features: FeaturesT) -> CellDepths:
        """Match a stereo pair; in the other modes nothing is measured before a second frame has been matched."""
        if self._config.mode != "stereo" or frame.right is None or frame.rig is None:
            return CellDepths.empty()
        if self._checks.repeated.is_right_repeated:  # of another time than the left one
            return CellDepths.empty()
        matches = self._matcher.match(features, self._matcher.extract(frame.right)).finite()
        matches = self._polish(frame, frame.right, matches, both_ways=False)
        depths = depths_from_stereo(matches, frame.camera, frame.rig, self._config.ransac_threshold_px)
        self._checks.add_pair(frame, matches)
        # Of a pair that shows other things, or is calibrated otherwise, a few matches happen to have a depth.
        fits = len(depths) >= self._config.min_inlier_share * len(matches) > 0
        self._pair_fits = fits and self._checks.pair_gives_depth
        is_depth = depths.num_finite >= max(self._config.min_inliers, _LEAST_DEPTH * len(matches))
        return depths if self._pair_fits and is_depth else CellDepths.empty()

    def _polish(self, frame: Frame, image_b: NDArray[np.uint8], matches: Matches, both_ways: bool = True) -> Matches:
        if not self._config.polish:
            return matches
        return polish(frame.texture, image_b, matches, self._config.polish_max_shift_px, both_ways)

    def _report(
        self,
        frame: Frame,
        reference: Keyframe[FeaturesT] | None,
        matches: Matches,
        fix: TrackedPose,
        is_keyframe: bool,
        clock: StageClock,
    ) -> OdometryEstimate:
        T_odom_camera, covariance = reference.in_odom(*fix.pose) if reference else (np.eye(4), np.zeros((6, 6)))
        if fix.lost_reason is not LostReason.REPEATED:
            self._last_stamp_ns, self._last_pose, self._last_state = frame.stamp_ns, T_odom_camera, fix.state
        if reference and self._config.mode != "mono":
            self._is_metric |= len(reference.depths) >= self._config.min_inliers
        if reference:
            distance = reference.distance(matches)
            self._length_error.update(self._checks.length_sigma(frame, distance), T_odom_camera[:3, 3], distance)
        covariance = covariance + self._length_error.pose_covariance + COVARIANCE_FLOOR
        landmarks = None
        if reference and len(matches):
            landmarks = Landmarks(reference.frame.camera, matches, reference.depths, fix.T_keyframe_camera)
        return OdometryEstimate(
            stamp_ns=frame.stamp_ns,
            T_odom_camera=T_odom_camera,
            pose_covariance=bounded_covariance(covariance),
            twist=fix.twist,
            twist_covariance=bounded_covariance(fix.twist_covariance + self._length_error.twist_covariance(fix.twist)),
            state=fix.state,
            matches=matches,
            inliers=fix.inliers,
            reference=reference.frame if reference and len(matches) else None,
            parallax_px=fix.parallax_px,
            timings_ms=clock.timings_ms,
            scale_known=self._is_metric,
            is_keyframe=is_keyframe,
            lost_reason=fix.lost_reason,
            degeneracies=fix.motion.degeneracies if fix.motion else (),
            landmarks=landmarks,
            input_warnings=self._checks.warnings,
        )
