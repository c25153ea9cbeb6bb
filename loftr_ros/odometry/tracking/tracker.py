"""Frame-to-keyframe tracking: a state machine of measured, stationary and lost frames.

What a frame shows is a `FrameEvent`; `transitions.TRANSITIONS` is the table of the states, poses and velocities that
follow. After `lost_frames_to_restart` lost frames the state remains LOST, but the frame becomes the keyframe
(`switch_keyframe`).

The odometry frame is continuous: a pose measured after a loss must lie within the Mahalanobis gate of the prediction,
else the camera stays lost, and tracking restarts from the predicted pose. So no correction exceeds the 99.9 % gate of
the covariances of prediction and measurement together, and no velocity is computed across a correction. The step from
the estimate before is also within the motion limits.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.gating import within_mahalanobis_gate
from loftr_ros.odometry.images.stationarity import tile_motion
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.states import LostReason, TrackingState
from loftr_ros.odometry.tracking.motion_model import ConstantVelocityModel, is_sudden, within_motion_limits
from loftr_ros.odometry.tracking.reference_pose import ReferencePose
from loftr_ros.odometry.tracking.tracked_pose import TrackedPose
from loftr_ros.odometry.tracking.transitions import TRANSITIONS, FrameEvent, Source

# Time constant of the decay of the largest recent speed, seconds.
# assumed: longer than a turn or a short stop.
_TOP_SPEED_DECAY_S = 10.0
# Lower bound of the twist covariance of a stationary camera: 1 mm/s (or 1e-3 units/s) and 1e-3 rad/s.
# numerical: guard; equal images have no motion at all.
_STATIONARY_COVARIANCE = np.diag([1e-3] * 6) ** 2
# Twist covariance before the first measured motion: m/s (or units/s) and rad/s.
# assumed: walking speed.
_INITIAL_COVARIANCE = np.eye(6)
# The same if lost then.
# assumed: the speed of a car.
_INITIAL_COVARIANCE_IF_LOST = np.diag([10.0, 10.0, 10.0, 1.0, 1.0, 1.0]) ** 2


class Tracker:
    """Pose and velocity of the camera in the keyframe, from frame to frame.

    Attributes:
        unit_m: meters in a unit of length; None: unknown.
        lost_frames: number of successive lost frames, without those that had no texture.
    """

    def __init__(self, config: OdometryConfig) -> None:
        """Start at the origin, at rest."""
        self._config = config
        self._has_translated = False
        self._speed: float | None = None  # of the last translation of known length, units/s
        self._length_ns = -np.inf  # stamp of the last translation of known length
        self._top_speed = self._fastest = 0.0  # largest recent speed, and largest of all, units/s
        first = TrackedPose(
            state=TrackingState.INITIALIZING,
            T_keyframe_camera=np.eye(4),
            covariance=np.zeros((6, 6)),
            twist=np.zeros(6),
            twist_covariance=_INITIAL_COVARIANCE,
            inliers=np.zeros(0, bool),
            parallax_px=0.0,
        )
        self._reference = ReferencePose(0, first, None, self._model(0, first))
        self._is_predicting = self._was_measured = False
        self.unit_m: float | None = None if config.mode == "mono" else 1.0
        self.lost_frames = 0

    def start(self, stamp_ns: int) -> None:
        """Start at the origin at the first frame, from which on the motion is unknown if it has no texture."""
        model = replace(self._reference.model, stamp_ns=stamp_ns)
        self._reference = replace(self._reference, stamp_ns=stamp_ns, model=model)

    def reconfigure(self, config: OdometryConfig) -> None:
        """Apply changed settings from the next frame on."""
        self._config = config

    @property
    def last(self) -> TrackedPose:
        """The last measured pose, or that of the keyframe itself."""
        return self._reference.tracked

    @property
    def stamp_ns(self) -> int:
        """Stamp of `last`, nanoseconds."""
        return self._reference.stamp_ns

    @property
    def last_matches(self) -> Matches | None:
        """Matches of `last`; None if it is the keyframe itself."""
        return self._reference.matches

    def baseline(self, seconds: float) -> float | None:
        """Return the length to assume for a translation of unknown length, at the last speed; None: no speed yet."""
        return None if self._speed is None else max(self._speed * seconds, 1e-3)

    def has_length(self, stamp_ns: int, motion: RelativePoseEstimate) -> bool:
        """Return whether the length of a motion is known: without scale, from depth, or from a recent speed."""
        is_recent = stamp_ns - self._length_ns <= 1e9 * self._config.max_prediction
        return self._config.mode == "mono" or motion.observable is ObservableDof.FULL or is_recent

    def stationary_motion_px(self, matches: Matches) -> float | None:
        """Return the image motion of a stationary camera since the last measured pose, pixels; None if it moves.

        The reference is the last measured pose and not the last frame, so slow motion accumulates until it is detected.
        """
        reference = self._reference.points_of(matches)
        is_common = np.isfinite(reference[:, 0])
        if is_common.sum() < self._config.min_inliers:
            return None
        motion_px = tile_motion(reference[is_common], matches.points_b[is_common])
        return motion_px if motion_px < self._config.stationary_px else None

    def hold_stationary(self, stamp_ns: int, matches: Matches, angle: float, distance: float) -> TrackedPose:
        """Hold the last measured pose of a stationary camera.

        Args:
            stamp_ns: of the frame, nanoseconds.
            matches: of keyframe and frame.
            angle: image motion, radians; bounds the rotation.
            distance: median distance of the points, units; times the angle, bounds the translation.
        """
        max_motion = angle * np.array([distance, distance, distance, 1.0, 1.0, 1.0])
        shift = np.linalg.norm(matches.points_b - self._reference.points_of(matches), axis=1)
        inliers = np.asarray(shift < self._config.ransac_threshold_px)  # False for NaN, a cell without a reference
        seconds = self._reference.seconds_to(stamp_ns)
        held = replace(
            self._reference.tracked,
            twist=np.zeros(6),
            twist_covariance=_STATIONARY_COVARIANCE + np.diag((max_motion / seconds) ** 2),
            inliers=inliers,
            motion=None,
            without_competing=None,
        )
        tracked = self._enter(FrameEvent.NO_IMAGE_MOTION, stamp_ns, held, self._reference.matches)
        return replace(tracked, covariance=tracked.covariance + np.diag(max_motion**2))

    def is_possible(self, stamp_ns: int, motion: RelativePoseEstimate) -> bool:
        """Return whether a motion is within the motion limits and, while lost, within the gate of the prediction."""
        seconds = self._reference.seconds_to(stamp_ns)
        step = se3.inverse(self.last.T_keyframe_camera) @ motion.T_keyframe_camera
        if not self.within_motion_limits(step, seconds):
            return False
        return not self._is_predicting or within_mahalanobis_gate(*motion.pose, *self.predicted(stamp_ns).pose)

    def within_motion_limits(self, step: Array, seconds: float) -> bool:
        """Return whether a (4, 4) motion of this duration is within the limits of speed and angular velocity."""
        return within_motion_limits(step, seconds, self._top_speed, self.unit_m, self._config)

    def update(self, stamp_ns: int, matches: Matches, motion: RelativePoseEstimate) -> TrackedPose:
        """Update pose and velocity with a measured motion of the frame at `stamp_ns`."""
        is_rotation = motion.observable is ObservableDof.ROTATION_ONLY
        is_first_rotation = is_rotation and self._config.mode == "mono" and not self._has_translated
        if stamp_ns - self._reference.stamp_ns > 1e9 * self._config.max_gap:
            event = FrameEvent.FIRST_ROTATION_AFTER_GAP if is_first_rotation else FrameEvent.MOTION_AFTER_GAP
        else:
            event = FrameEvent.FIRST_ROTATION if is_first_rotation else FrameEvent.MOTION
        return self._moved(event, stamp_ns, matches, motion)

    def reacquire(self, stamp_ns: int, matches: Matches, motion: RelativePoseEstimate) -> TrackedPose:
        """Update the pose only, with a motion measured from an earlier keyframe."""
        return self._moved(FrameEvent.EARLIER_KEYFRAME, stamp_ns, matches, motion)

    def is_sudden(self, stamp_ns: int, motion: RelativePoseEstimate | None) -> bool:
        """Return whether a motion exceeds the acceleration limit; False without metric scale or measured velocity."""
        if motion is None or self._config.mode == "mono" or not self._was_measured or self._is_predicting:
            return False
        seconds, model = self._reference.seconds_to(stamp_ns), self._reference.model
        if self.last.without_competing:
            model = replace(model, covariance=self.last.without_competing[1])
        T_predicted = self.predicted(stamp_ns).T_keyframe_camera
        return is_sudden(motion.T_keyframe_camera, motion.own_covariance, T_predicted, model, seconds)

    def predicted(self, stamp_ns: int, with_competing: bool = True) -> TrackedPose:
        """Return the pose that the motion model predicts; see `ReferencePose.predicted`."""
        return self._reference.predicted(stamp_ns, with_competing)

    def predict_lost(
        self, stamp_ns: int, matches: Matches, reason: LostReason, event: FrameEvent = FrameEvent.NO_MOTION
    ) -> TrackedPose:
        """Predict the pose of a lost frame, all of whose matches are outliers.

        Args:
            stamp_ns: of the frame, nanoseconds.
            matches: of keyframe and frame.
            reason: of the loss.
            event: NO_MOTION or NO_TEXTURE.
        """
        # A camera that stood, however long, may start to move while it is lost.
        model = replace(self._reference.model, top_speed=max(self._fastest, self._reference.model.top_speed))
        if self._config.mode != "mono" and self._fastest == 0:
            model = replace(model, covariance=_INITIAL_COVARIANCE_IF_LOST)
        self._reference = replace(self._reference, model=model)
        predicted = replace(self.predicted(stamp_ns), inliers=np.zeros(len(matches), bool), lost_reason=reason)
        return self._enter(event, stamp_ns, predicted, matches)

    def switch_keyframe(self, stamp_ns: int, tracked: TrackedPose) -> None:
        """Make the frame of `tracked` the keyframe."""
        is_lost = tracked.state is TrackingState.LOST
        model = self._reference.model if is_lost else self._model(stamp_ns, tracked)
        zero = np.zeros((6, 6))
        start = replace(
            tracked,
            T_keyframe_camera=np.eye(4),
            covariance=zero,
            parallax_px=0.0,
            lost_reason=None,
            without_competing=(zero, tracked.without_competing[1]) if tracked.without_competing else None,
        )
        self._reference = ReferencePose(stamp_ns, start, None, model)
        self._is_predicting, self.lost_frames = False, 0

    def invalidate_matches(self) -> None:
        """Drop the matches of the last measured pose: the keyframe was resampled, so its cells have changed."""
        self._reference = replace(self._reference, matches=Matches.empty())

    def _moved(self, event: FrameEvent, stamp_ns: int, matches: Matches, motion: RelativePoseEstimate) -> TrackedPose:
        """Enter the state of a frame whose motion is measured."""
        moved = replace(
            self.predicted(stamp_ns),
            T_keyframe_camera=motion.T_keyframe_camera,
            covariance=motion.covariance,
            inliers=motion.inliers,
            parallax_px=motion.parallax_px,
            motion=motion,
        )
        if TRANSITIONS[event].velocity is Source.MEASURED:
            moved = self._with_velocity(moved, stamp_ns, matches, motion)
        self._has_translated |= motion.observable is not ObservableDof.ROTATION_ONLY
        if motion.observable is ObservableDof.FULL:
            self._length_ns = stamp_ns
        return self._enter(event, stamp_ns, moved, matches)

    def _with_velocity(
        self, moved: TrackedPose, stamp_ns: int, matches: Matches, motion: RelativePoseEstimate
    ) -> TrackedPose:
        """Return a measured pose with the velocity since the last measured pose."""
        before, seconds = self._reference.tracked, self._reference.seconds_to(stamp_ns)
        step = se3.inverse(before.T_keyframe_camera) @ motion.T_keyframe_camera
        sensitivities = self._reference.common_depth_sensitivities(matches, motion)
        covariance = se3.step_covariance(*before.pose, *motion.pose, *sensitivities)
        without_competing = None
        if before.without_competing or motion.competing_covariance.any():
            start = before.without_competing[0] if before.without_competing else before.covariance
            poses = before.T_keyframe_camera, start, motion.T_keyframe_camera, motion.own_covariance
            without_competing = motion.own_covariance, se3.step_covariance(*poses, *sensitivities) / seconds**2
        twist = se3.log(step) / seconds
        if motion.observable is ObservableDof.FULL:
            self._speed = float(np.linalg.norm(twist[:3]))
            self._top_speed = max(self._speed, self._top_speed * float(np.exp(-seconds / _TOP_SPEED_DECAY_S)))
            self._fastest = max(self._speed, self._fastest)
        return replace(
            moved, twist=twist, twist_covariance=covariance / seconds**2, without_competing=without_competing
        )

    def _enter(self, event: FrameEvent, stamp_ns: int, tracked: TrackedPose, matches: Matches | None) -> TrackedPose:
        """Enter the state of the table; a pose that is not predicted becomes the reference."""
        transition = TRANSITIONS[event]
        tracked = replace(tracked, state=transition.state)
        if transition.pose is Source.PREDICTED:
            self._is_predicting = True
            self.lost_frames += transition.counts_as_lost
            return tracked
        self._reference = ReferencePose(stamp_ns, tracked, matches, self._model(stamp_ns, tracked))
        self._is_predicting, self._was_measured, self.lost_frames = False, True, 0
        return tracked

    def _model(self, stamp_ns: int, tracked: TrackedPose) -> ConstantVelocityModel:
        return ConstantVelocityModel(
            stamp_ns=stamp_ns,
            twist=tracked.twist,
            covariance=tracked.twist_covariance,
            top_speed=self._top_speed,
            horizon_s=self._config.max_prediction,
        )
