"""From measured motions to a continuous track: standing still, moving, lost.

| from | to | when | pose | velocity |
|---|---|---|---|---|
| any | STATIONARY | the image is where it was at the last measured pose | that one | zero |
| any | TRACKING | a motion is measured, and possible | measured | over the time since the last measured pose |
| (mono) any | INITIALIZING | only turns were measured so far | measured | likewise |
| any | LOST | no motion is measured, an impossible one, or one without a length | predicted | as it was, then zero |
| LOST | TRACKING | measured against an earlier keyframe, or after `max_gap` | measured | predicted |
| LOST | LOST | `lost_frames_to_restart` frames: this one becomes the keyframe, where it is predicted | predicted | ~ |

The odometry frame stays continuous. A velocity is never computed across a correction. A pose measured after a loss is
taken only if the prediction, by its own covariance, leaves room for it; else the camera is still lost, and tracking
starts afresh where the prediction stands. So no step is larger than what the estimate before it announced.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.gating import within_mahalanobis_gate
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.states import LostReason, TrackingState
from loftr_ros.odometry.tracking.motion_model import ConstantVelocityModel, is_sudden, within_motion_limits

# Rows and columns of parts of the image, how many matches one must have to be asked, and a share of them.
_TILES, _ENOUGH, _NEARLY_ALL = 4, 8, 0.9
# The largest speed of late is forgotten in about this time, seconds.
_MEMORY_S = 10.0
# Least standard deviation of the velocity of a camera that stands still: 1 mm/s (or 1e-3 units/s) and 1e-3 rad/s.
_STILL = np.diag([1e-3] * 6) ** 2
# Velocity of a camera at its first frame, of which nothing is known, and of one that is lost then: 1/s (m/s) and rad/s.
_UNKNOWN = np.eye(6)
_UNKNOWN_LOST = np.diag([10.0, 10.0, 10.0, 1.0, 1.0, 1.0]) ** 2


@dataclass(frozen=True)
class TrackedPose:
    """Where the camera is at one frame, relative to the keyframe, and how it moves.

    Attributes:
        state: how this came about.
        T_keyframe_camera, covariance: pose, see `estimator.RelativePoseEstimate`.
        twist, twist_covariance: see `estimate.OdometryEstimate`.
        inliers: (N,) bool, matches that agree with it.
        parallax_px: see `estimator.RelativePoseEstimate`.
        motion: what was measured; None if the pose is held or predicted.
        lost_reason: why nothing was measured, in the state LOST.
        undoubted: covariances of pose and twist without the doubt of a competing motion; None: there was none.
    """

    state: TrackingState
    T_keyframe_camera: NDArray[np.float64]
    covariance: NDArray[np.float64]
    twist: NDArray[np.float64]
    twist_covariance: NDArray[np.float64]
    inliers: NDArray[np.bool_]
    parallax_px: float
    motion: RelativePoseEstimate | None = None
    lost_reason: LostReason | None = None
    undoubted: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def pose(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """T_keyframe_camera and its covariance."""
        return self.T_keyframe_camera, self.covariance


@dataclass(frozen=True)
class _ReferencePose:
    """What the next frame is judged against: the last measured pose, or a keyframe that was started while lost.

    Attributes:
        stamp_ns: of the pose.
        fix: the pose.
        matches: where the cells of the keyframe were in the image then; None at the keyframe itself.
        velocity: the last one measured.
    """

    stamp_ns: int
    fix: TrackedPose
    matches: Matches | None
    velocity: ConstantVelocityModel


class Tracker:
    """Remembers the last measured pose and judges each new frame against it."""

    def __init__(self, config: OdometryConfig) -> None:
        """Start at the origin, at rest."""
        self._config = config
        self._has_moved = False  # and not only turned
        self._speed: float | None = None  # of the last translation whose length was measured, per second
        self._length_ns = -np.inf  # when depth last told a length
        self._top_speed = 0.0  # largest of late
        first = TrackedPose(
            TrackingState.INITIALIZING, np.eye(4), np.zeros((6, 6)), np.zeros(6), _UNKNOWN, np.zeros(0, bool), 0.0
        )
        self._reference_pose = _ReferencePose(0, first, None, self._velocity(0, first))
        self._is_predicting = self._was_measured = False
        self.unit_m: float | None = None if config.mode == "mono" else 1.0  # metres in a unit of length, where known
        self.lost_frames = 0  # in a row, of those that could have been matched

    def reconfigure(self, config: OdometryConfig) -> None:
        """Judge the frames to come by these settings."""
        self._config = config

    @property
    def last(self) -> TrackedPose:
        """The last fix that is not a prediction, or the keyframe itself."""
        return self._reference_pose.fix

    @property
    def stamp_ns(self) -> int:
        """Of that fix."""
        return self._reference_pose.stamp_ns

    @property
    def last_matches(self) -> Matches | None:
        """Matches of that fix; None if it is the keyframe itself."""
        return self._reference_pose.matches

    def baseline(self, seconds: float) -> float | None:
        """Length that a translation of unknown length is given: that of the last speed; None: no speed is known yet."""
        return None if self._speed is None else max(self._speed * seconds, 1e-3)

    def has_length(self, stamp_ns: int, motion: RelativePoseEstimate) -> bool:
        """Return whether the length of a motion is known: in units, from depth, or for a short time the last speed."""
        is_recent = stamp_ns - self._length_ns <= 1e9 * self._config.max_prediction
        return self._config.mode == "mono" or motion.observable is ObservableDof.FULL or is_recent

    def still_px(self, matches: Matches) -> float | None:
        """Tell how far the image is from where it was at the last measured pose, pixels; None if the camera moves.

        Slow motion adds up until it is one.
        """
        then = self._points_then(matches)
        seen = np.isfinite(then[:, 0])
        if seen.sum() < self._config.min_inliers:
            return None
        motion_px = smooth_motion(then[seen], matches.points_b[seen])
        return motion_px if motion_px < self._config.stationary_px else None

    def hold_stationary(self, stamp_ns: int, matches: Matches, angle: float, distance: float) -> TrackedPose:
        """Keep the last measured pose of a camera that stands still.

        Args:
            stamp_ns: now.
            matches: with the keyframe.
            angle: by which the image has moved all the same, radians: so far the camera may have turned.
            distance: to what it sees; times the angle, so far it may have moved.
        """
        unseen = angle * np.array([distance, distance, distance, 1.0, 1.0, 1.0])
        shift = np.linalg.norm(matches.points_b - self._points_then(matches), axis=1)
        inliers = np.asarray(shift < self._config.ransac_threshold_px)  # NaN, a new cell, is none
        fix = replace(
            self._reference_pose.fix,
            state=TrackingState.STATIONARY,
            twist=np.zeros(6),
            twist_covariance=_STILL + np.diag((unseen / (1e-9 * (stamp_ns - self._reference_pose.stamp_ns))) ** 2),
            inliers=inliers,
            motion=None,
            undoubted=None,
        )
        self._measured(stamp_ns, fix, self._reference_pose.matches)
        return replace(fix, covariance=fix.covariance + np.diag(unseen**2))

    def is_possible(self, stamp_ns: int, motion: RelativePoseEstimate) -> bool:
        """Tell whether a camera can have moved so since the last measured pose, and a lost one got to this place."""
        seconds = 1e-9 * (stamp_ns - self._reference_pose.stamp_ns)
        step = se3.inverse(self.last.T_keyframe_camera) @ motion.T_keyframe_camera
        if not self.within_motion_limits(step, seconds):
            return False
        return not self._is_predicting or within_mahalanobis_gate(*motion.pose, *self.predicted(stamp_ns).pose)

    def within_motion_limits(self, step: NDArray[np.float64], seconds: float) -> bool:
        """Check a motion `step` (4, 4) of this duration against the limits of motion."""
        return within_motion_limits(step, seconds, self._top_speed, self.unit_m, self._config)

    def update(self, stamp_ns: int, matches: Matches, motion: RelativePoseEstimate) -> TrackedPose:
        """Take a measured motion."""
        if stamp_ns - self._reference_pose.stamp_ns > 1e9 * self._config.max_gap:
            return self.reacquire(stamp_ns, matches, motion)
        before, seconds = self._reference_pose.fix, 1e-9 * (stamp_ns - self._reference_pose.stamp_ns)
        step = se3.inverse(before.T_keyframe_camera) @ motion.T_keyframe_camera
        gains = self._common_gains(matches, motion)
        covariance = se3.step_covariance(*before.pose, *motion.pose, *gains)
        undoubted = None
        if before.undoubted or motion.competing_covariance.any():
            certain = before.undoubted[0] if before.undoubted else before.covariance
            poses = before.T_keyframe_camera, certain, motion.T_keyframe_camera, motion.own_covariance
            undoubted = motion.own_covariance, se3.step_covariance(*poses, *gains) / seconds**2
        fix = TrackedPose(
            self._moving_state(motion),
            motion.T_keyframe_camera,
            motion.covariance,
            se3.log(step) / seconds,
            covariance / seconds**2,
            motion.inliers,
            motion.parallax_px,
            motion,
            undoubted=undoubted,
        )
        if motion.observable is ObservableDof.FULL:
            self._speed = float(np.linalg.norm(fix.twist[:3]))
            self._top_speed = max(self._speed, self._top_speed * float(np.exp(-seconds / _MEMORY_S)))
        return self._measured(stamp_ns, fix, matches)

    def is_sudden(self, stamp_ns: int, motion: RelativePoseEstimate | None) -> bool:
        """Return whether a motion is an acceleration that no camera has, where it is in meters and the speed known."""
        if motion is None or self._config.mode == "mono" or not self._was_measured or self._is_predicting:
            return False
        seconds, velocity = 1e-9 * (stamp_ns - self._reference_pose.stamp_ns), self._reference_pose.velocity
        if self.last.undoubted:
            velocity = replace(velocity, covariance=self.last.undoubted[1])
        T_predicted = self.predicted(stamp_ns).T_keyframe_camera
        return is_sudden(motion.T_keyframe_camera, motion.own_covariance, T_predicted, velocity, seconds)

    def reacquire(self, stamp_ns: int, matches: Matches, motion: RelativePoseEstimate) -> TrackedPose:
        """Take a measured pose that tells nothing about the velocity: after a long gap, or in another keyframe."""
        fix = replace(
            self.predicted(stamp_ns),
            state=self._moving_state(motion),
            T_keyframe_camera=motion.T_keyframe_camera,
            covariance=motion.covariance,
            inliers=motion.inliers,
            parallax_px=motion.parallax_px,
            motion=motion,
        )
        return self._measured(stamp_ns, fix, matches)

    def predicted(self, stamp_ns: int, doubted: bool = True) -> TrackedPose:
        """Return where the camera is by its last velocity, without any matches.

        `doubted=False` assumes that no moving object was taken for the world, else the next one would be foreseen.
        """
        anchor, before, velocity = self._reference_pose, self._reference_pose.fix, self._reference_pose.velocity
        if before.undoubted and not doubted:
            covariance, twist_covariance = before.undoubted
            before, velocity = replace(before, covariance=covariance), replace(velocity, covariance=twist_covariance)
        step = velocity.step(anchor.stamp_ns, stamp_ns)
        growth = velocity.growth(anchor.stamp_ns, stamp_ns)
        return TrackedPose(
            TrackingState.LOST,
            before.T_keyframe_camera @ step,
            se3.composed_covariance(before.T_keyframe_camera, before.covariance, step, growth),
            velocity.twist_at(stamp_ns),
            velocity.twist_covariance_at(stamp_ns),
            np.zeros(0, bool),
            0.0,
        )

    def predict_lost(self, stamp_ns: int, matches: Matches, reason: LostReason, hopeless: bool = False) -> TrackedPose:
        """Go by the prediction, with matches of which none is believed; a hopeless image could not have had any."""
        self._is_predicting = True
        self.lost_frames += not hopeless
        if self._config.mode != "mono" and not self._was_measured:
            self._reference_pose = replace(
                self._reference_pose, velocity=replace(self._reference_pose.velocity, covariance=_UNKNOWN_LOST)
            )
        return replace(self.predicted(stamp_ns), inliers=np.zeros(len(matches), bool), lost_reason=reason)

    def switch_keyframe(self, stamp_ns: int, fix: TrackedPose) -> None:
        """Start from a new keyframe at the frame of `fix`."""
        velocity = self._reference_pose.velocity if fix.state is TrackingState.LOST else self._velocity(stamp_ns, fix)
        zero = np.zeros((6, 6))
        undoubted = (zero, fix.undoubted[1]) if fix.undoubted else None
        start = replace(fix, T_keyframe_camera=np.eye(4), covariance=zero, undoubted=undoubted)
        fix = replace(start, parallax_px=0.0, lost_reason=None)
        self._reference_pose = _ReferencePose(stamp_ns, fix, None, velocity)
        self._is_predicting, self.lost_frames = False, 0

    def forget_cells(self) -> None:
        """Keep the pose: the keyframe is the same but its cells are not."""
        self._reference_pose = replace(self._reference_pose, matches=Matches.empty())

    def _measured(self, stamp_ns: int, fix: TrackedPose, matches: Matches | None) -> TrackedPose:
        self._has_moved |= fix.motion is not None and fix.motion.observable is not ObservableDof.ROTATION_ONLY
        if fix.motion is not None and fix.motion.observable is ObservableDof.FULL:
            self._length_ns = stamp_ns
        self._reference_pose = _ReferencePose(stamp_ns, fix, matches, self._velocity(stamp_ns, fix))
        self._is_predicting, self._was_measured, self.lost_frames = False, True, 0
        return fix

    def _velocity(self, stamp_ns: int, fix: TrackedPose) -> ConstantVelocityModel:
        return ConstantVelocityModel(
            stamp_ns, fix.twist, fix.twist_covariance, self._top_speed, self._config.max_prediction
        )

    def _common_gains(
        self, matches: Matches, motion: RelativePoseEstimate
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(K, 6) each: how the depths of the K common cells err in the last measured pose and in this one."""
        before, matches_before = self._reference_pose.fix.motion, self._reference_pose.matches
        if before is None or matches_before is None:
            return np.zeros((0, 6)), np.zeros((0, 6))
        _, then, now = np.intersect1d(matches_before.cell_a, matches.cell_a, return_indices=True)
        return before.depth_sensitivity[then], motion.depth_sensitivity[now]

    def _moving_state(self, motion: RelativePoseEstimate) -> TrackingState:
        """A single camera that has only turned so far has no translation yet."""
        if motion.observable is ObservableDof.ROTATION_ONLY and self._config.mode == "mono" and not self._has_moved:
            return TrackingState.INITIALIZING
        return TrackingState.TRACKING

    def _points_then(self, matches: Matches) -> NDArray[np.float32]:
        """(N, 2) where the cells of matches were in the image at the last measured pose; NaN where not seen then."""
        then = self._reference_pose.matches
        if then is None:
            return matches.points_a
        points = np.full_like(matches.points_b, np.nan)
        _, now_index, then_index = np.intersect1d(matches.cell_a, then.cell_a, return_indices=True)
        points[now_index] = then.points_b[then_index]
        return points


def smooth_motion(points_a: NDArray[np.float32], points_b: NDArray[np.float32]) -> float:
    """Return how far the image moves from (N, 2) points a to b, pixels, with the noise of points averaged out.

    The noise of a match is larger than the motion of a camera that stands still, but a true motion is common to
    neighbours: each part of the image has its median motion. Nearly the largest of them counts, because far away
    nothing moves, however fast the camera is.
    """
    extent = np.ptp(points_a, axis=0) + 1e-3
    column, row = (_TILES * (points_a - points_a.min(axis=0)) / extent).astype(int).T
    tile = _TILES * row + column
    counts = np.bincount(tile, minlength=_TILES**2)
    enough = counts >= min(_ENOUGH, int(counts.max()))
    # Where the middle of each part is, when the parts are in order, and within them one coordinate of the motion.
    middle = (np.cumsum(counts) - (counts + 1) // 2)[enough]
    moved = (points_b - points_a).T.astype(np.float64)
    apart = 1.0 + 2.0 * float(np.abs(moved).max())
    medians = np.sort(moved + apart * tile)[:, middle] - apart * np.flatnonzero(enough)
    return float(np.sort(np.hypot(*medians))[round(_NEARLY_ALL * (len(middle) - 1))])
