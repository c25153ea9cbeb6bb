"""From measured motions to a continuous track: standing still, moving, lost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry import se3
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import TrackingState
from loftr_ros.odometry.motion import Motion
from loftr_ros.odometry.refinement import Freedom

# Rows and columns of parts of the image.
_TILES = 4
# A lost camera may have changed its velocity by as much as it had, and by this: 1/s along each axis, and rad/s.
_UNKNOWN_MOTION = np.full(6, 0.1)
# The uncertainty of a lost camera stops growing after this time, seconds, so that it stays a number one can use.
_LOST_GROWTH_S = 10.0
# Velocity of a camera that stands still, standard deviation: 1 mm/s (or 1e-3 units/s) and 1e-3 rad/s.
_STILL = np.diag([1e-3] * 6) ** 2
# Velocity at the first frame, of which nothing is known yet: 1/s and rad/s.
_UNKNOWN = np.eye(6)


@dataclass(frozen=True)
class Fix:
    """Where the camera is at one frame, relative to the keyframe, and how it moves.

    Attributes:
        state: how this came about.
        T_keyframe_camera, covariance: pose, see `motion.Motion`.
        twist, twist_covariance: see `estimate.OdometryEstimate`.
        inliers: (N,) bool, matches that agree with it.
        parallax_px: see `motion.Motion`.
        motion: what was measured; None if the pose is held or predicted.
    """

    state: TrackingState
    T_keyframe_camera: NDArray[np.float64]
    covariance: NDArray[np.float64]
    twist: NDArray[np.float64]
    twist_covariance: NDArray[np.float64]
    inliers: NDArray[np.bool_]
    parallax_px: float
    motion: Motion | None = None


@dataclass(frozen=True)
class _Anchor:
    """The last pose that is not a prediction. `matches` is None at the keyframe itself."""

    stamp_ns: int
    measured_ns: int
    fix: Fix
    matches: Matches | None


class Track:
    """Remembers the last measured pose and judges each new frame against it."""

    def __init__(self, config: OdometryConfig) -> None:
        """Start at the origin, at rest."""
        self._config = config
        self._speed: float | None = None  # of the last measured translation, per second
        first = Fix(
            TrackingState.INITIALIZING, np.eye(4), np.zeros((6, 6)), np.zeros(6), _UNKNOWN, np.zeros(0, bool), 0.0
        )
        self._anchor = _Anchor(0, 0, first, None)
        self.lost_frames = 0

    @property
    def last(self) -> Fix:
        """The last fix that is not a prediction."""
        return self._anchor.fix

    def baseline(self, seconds: float) -> float:
        """Length that a translation of unknown length is given: that of the last speed, or 1 at the very first."""
        return 1.0 if self._speed is None else max(self._speed * seconds, 1e-3)

    def is_still(self, matches: Matches) -> bool:
        """Tell whether the image is where it was at the last measured pose, so that slow motion still adds up."""
        then = self._points_then(matches)
        seen = np.isfinite(then[:, 0])
        if seen.sum() < self._config.min_inliers:
            return False
        return smooth_motion(then[seen], matches.points_b[seen]) < self._config.stationary_px

    def hold(self, stamp_ns: int, matches: Matches) -> Fix:
        """Keep the last measured pose of a camera that stands still."""
        self.lost_frames = 0
        shift = np.linalg.norm(matches.points_b - self._points_then(matches), axis=1)
        inliers = np.asarray(shift < self._config.ransac_threshold_px)  # NaN, a new cell, is none
        fix = replace(
            self._anchor.fix,
            state=TrackingState.STATIONARY,
            twist=np.zeros(6),
            twist_covariance=_STILL,
            inliers=inliers,
            motion=None,
        )
        self._anchor = replace(self._anchor, stamp_ns=stamp_ns, measured_ns=stamp_ns, fix=fix)
        return fix

    def advance(self, stamp_ns: int, matches: Matches, motion: Motion) -> Fix:
        """Take a measured motion."""
        self.lost_frames = 0
        before, seconds = self._anchor.fix, 1e-9 * (stamp_ns - self._anchor.stamp_ns)
        back = se3.inverse(before.T_keyframe_camera)
        step = back @ motion.T_keyframe_camera
        covariance = se3.composed_covariance(
            back,
            se3.inverse_covariance(before.T_keyframe_camera, before.covariance),
            motion.T_keyframe_camera,
            motion.covariance,
        )
        turn = np.kron(np.eye(2), step[:3, :3].T)  # from the axes of the camera before to those of now
        fix = Fix(
            self._moving_state(motion),
            motion.T_keyframe_camera,
            motion.covariance,
            se3.log(step) / seconds,
            se3.symmetric(turn @ covariance @ turn.T) / seconds**2,
            motion.inliers,
            motion.parallax_px,
            motion,
        )
        if motion.freedom is not Freedom.ROTATION:
            self._speed = float(np.linalg.norm(fix.twist[:3]))
        self._anchor = _Anchor(stamp_ns, stamp_ns, fix, matches)
        return fix

    def predict(self, stamp_ns: int, matches: Matches) -> Fix:
        """Assume constant velocity for a bounded time, then hold; the covariance grows with the time."""
        self.lost_frames += 1
        anchor, before = self._anchor, self._anchor.fix
        moving_until = anchor.measured_ns + round(1e9 * self._config.max_prediction_s)
        moving = 1e-9 * max(min(stamp_ns, moving_until) - anchor.stamp_ns, 0)
        T = before.T_keyframe_camera @ se3.exp(before.twist * moving)
        spread = np.diag((np.abs(before.twist) + _UNKNOWN_MOTION) ** 2)
        elapsed = min(1e-9 * (stamp_ns - anchor.stamp_ns), _LOST_GROWTH_S)
        return Fix(
            TrackingState.LOST,
            T,
            se3.composed_covariance(
                before.T_keyframe_camera,
                before.covariance,
                se3.exp(before.twist * moving),
                spread * elapsed**2,
            ),
            before.twist if stamp_ns <= moving_until else np.zeros(6),
            before.twist_covariance + spread,
            np.zeros(len(matches), bool),
            0.0,
        )

    def rebase(self, stamp_ns: int, fix: Fix) -> None:
        """Start from a new keyframe at the frame of `fix`."""
        measured_ns = self._anchor.measured_ns if fix.state is TrackingState.LOST else stamp_ns
        fix = replace(fix, T_keyframe_camera=np.eye(4), covariance=np.zeros((6, 6)), parallax_px=0.0)
        self._anchor = _Anchor(stamp_ns, measured_ns, fix, None)
        self.lost_frames = 0

    def _moving_state(self, motion: Motion) -> TrackingState:
        """A single camera that has only turned so far has no translation yet."""
        if motion.freedom is Freedom.ROTATION and self._config.mode == "mono" and self._speed is None:
            return TrackingState.INITIALIZING
        return TrackingState.TRACKING

    def _points_then(self, matches: Matches) -> NDArray[np.float32]:
        """(N, 2) where the cells of matches were in the image at the last measured pose; NaN where not seen then."""
        then = self._anchor.matches
        if then is None:
            return matches.points_a
        points = np.full_like(matches.points_b, np.nan)
        _, now_index, then_index = np.intersect1d(matches.cell_a, then.cell_a, return_indices=True)
        points[now_index] = then.points_b[then_index]
        return points


def smooth_motion(points_a: NDArray[np.float32], points_b: NDArray[np.float32]) -> float:
    """Return the median motion of the image from (N, 2) points a to b, pixels, with the noise of points averaged out.

    The noise of a match is larger than the motion of a camera that stands still, but a true motion is common to
    neighbours: the median over the parts of the image of the length of the median motion of each.
    """
    extent = np.ptp(points_a, axis=0) + 1e-3
    column, row = (_TILES * (points_a - points_a.min(axis=0)) / extent).astype(int).T
    tile = _TILES * row + column
    moved = points_b - points_a
    return float(np.median([np.linalg.norm(np.median(moved[tile == t], axis=0)) for t in np.unique(tile)]))
