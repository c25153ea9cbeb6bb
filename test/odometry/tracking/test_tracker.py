"""The table of `tracking.transitions`, row by row from every state, and what the tracker decides with it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.pose.disparity_bias import NO_BIAS
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.pose.two_view import TwoViewGeometry
from loftr_ros.odometry.states import LostReason, TrackingState
from loftr_ros.odometry.tracking.tracked_pose import TrackedPose
from loftr_ros.odometry.tracking.tracker import Tracker
from loftr_ros.odometry.tracking.transitions import TRANSITIONS, FrameEvent, Source

PERIOD_NS = 100_000_000
SPEED = 0.5  # m/s along z, of all measured motions
COUNT = 100  # matches

Step = Callable[[Tracker, int], TrackedPose]


def matches_at(shift_px: float) -> Matches:
    """COUNT matches all over the image, with the same image motion."""
    cells = np.arange(COUNT)
    points = np.column_stack([cells % 10 * 60 + 30, cells // 10 * 45 + 20]).astype(np.float32)
    return Matches(points, points + np.float32(shift_px), np.ones(COUNT, np.float32), cells)


def motion_at(stamp_ns: int, observable: ObservableDof = ObservableDof.FULL) -> RelativePoseEstimate:
    """The camera at SPEED since the keyframe at time 0."""
    return RelativePoseEstimate(
        T_keyframe_camera=se3.transform(np.eye(3), [0.0, 0.0, 1e-9 * stamp_ns * SPEED]),
        covariance=1e-6 * np.eye(6),
        depth_sensitivity=np.zeros((COUNT, 6)),
        inliers=np.ones(COUNT, bool),
        parallax_px=5.0,
        observable=observable,
        geometry=TwoViewGeometry.GENERAL,
        degeneracies=(),
        noise_px=0.3,
        disparity_bias=NO_BIAS,
        competing_covariance=np.zeros((6, 6)),
    )


def no_image_motion(tracker: Tracker, stamp_ns: int) -> TrackedPose:
    return tracker.hold_stationary(stamp_ns, matches_at(0.1), angle=1e-4, distance=2.0)


def motion(tracker: Tracker, stamp_ns: int) -> TrackedPose:
    return tracker.update(stamp_ns, matches_at(5.0), motion_at(stamp_ns))


def only_rotation(tracker: Tracker, stamp_ns: int) -> TrackedPose:
    return tracker.update(stamp_ns, matches_at(5.0), motion_at(0, ObservableDof.ROTATION_ONLY))


def no_motion(tracker: Tracker, stamp_ns: int) -> TrackedPose:
    return tracker.predict_lost(stamp_ns, matches_at(5.0), LostReason.NO_MOTION_FITS)


def no_texture(tracker: Tracker, stamp_ns: int) -> TrackedPose:
    return tracker.predict_lost(stamp_ns, Matches.empty(), LostReason.NO_TEXTURE, FrameEvent.NO_TEXTURE)


def earlier_keyframe(tracker: Tracker, stamp_ns: int) -> TrackedPose:
    return tracker.reacquire(stamp_ns, matches_at(5.0), motion_at(stamp_ns))


def tracker_after(steps: list[Step], mode: Mode = "rgbd") -> Tracker:
    """Track one frame per step, PERIOD_NS apart, the first at PERIOD_NS."""
    tracker = Tracker(OdometryConfig(mode=mode))
    tracker.start(0)
    tracker.switch_keyframe(0, tracker.last)
    for index, step in enumerate(steps):
        step(tracker, (index + 1) * PERIOD_NS)
    return tracker


FROM = {
    TrackingState.INITIALIZING: [],
    TrackingState.TRACKING: [motion, motion],
    TrackingState.STATIONARY: [motion, no_image_motion],
    TrackingState.LOST: [motion, motion, no_motion],
}
AFTER_GAP_NS = round(1e9 * OdometryConfig().max_gap) + PERIOD_NS
# What the frame shows, how long after the one before it comes, and the mode, by event.
EVENTS: dict[FrameEvent, tuple[Step, int, Mode]] = {
    FrameEvent.NO_IMAGE_MOTION: (no_image_motion, PERIOD_NS, "rgbd"),
    FrameEvent.MOTION: (motion, PERIOD_NS, "rgbd"),
    FrameEvent.MOTION_AFTER_GAP: (motion, AFTER_GAP_NS, "rgbd"),
    FrameEvent.EARLIER_KEYFRAME: (earlier_keyframe, PERIOD_NS, "rgbd"),
    FrameEvent.FIRST_ROTATION: (only_rotation, PERIOD_NS, "mono"),
    FrameEvent.FIRST_ROTATION_AFTER_GAP: (only_rotation, AFTER_GAP_NS, "mono"),
    FrameEvent.NO_MOTION: (no_motion, PERIOD_NS, "rgbd"),
    FrameEvent.NO_TEXTURE: (no_texture, PERIOD_NS, "rgbd"),
}
FIRST = {FrameEvent.FIRST_ROTATION, FrameEvent.FIRST_ROTATION_AFTER_GAP}
ROWS = [(event, state) for event in FrameEvent for state in FROM if event not in FIRST or not FROM[state]]


def measured_twist(motion: RelativePoseEstimate | None, before: TrackedPose, seconds: float) -> Array:
    """Twist (6,) since the last measured pose."""
    assert motion is not None
    return se3.log(se3.inverse(before.T_keyframe_camera) @ motion.T_keyframe_camera) / seconds


@pytest.mark.parametrize(("event", "state"), ROWS, ids=lambda value: value.name)
def test_each_row_of_the_table_from_each_state(event: FrameEvent, state: TrackingState) -> None:
    (step, period_ns, mode), row = EVENTS[event], TRANSITIONS[event]
    tracker = tracker_after(FROM[state], mode)
    before, since_ns, lost_before = tracker.last, tracker.stamp_ns, tracker.lost_frames
    stamp_ns = len(FROM[state]) * PERIOD_NS + period_ns
    tracked = step(tracker, stamp_ns)
    expected = tracker_after(FROM[state], mode).predicted(stamp_ns)

    assert tracked.state is row.state
    assert (tracked.motion is not None) == (row.pose is Source.MEASURED)
    assert (tracked.lost_reason is not None) == (row.state is TrackingState.LOST)
    if row.pose is Source.MEASURED:
        assert tracked.motion is not None
        np.testing.assert_array_equal(tracked.T_keyframe_camera, tracked.motion.T_keyframe_camera)
    elif row.pose is Source.HELD:
        np.testing.assert_array_equal(tracked.T_keyframe_camera, before.T_keyframe_camera)
    else:
        np.testing.assert_allclose(tracked.T_keyframe_camera, expected.T_keyframe_camera)

    if row.velocity is Source.MEASURED:
        twist = measured_twist(tracked.motion, before, 1e-9 * (stamp_ns - since_ns))
        np.testing.assert_allclose(tracked.twist, twist, atol=1e-12)
    elif row.velocity is Source.HELD:
        assert not tracked.twist.any()
    else:
        np.testing.assert_array_equal(tracked.twist, expected.twist)

    is_reference = row.pose is not Source.PREDICTED
    assert tracker.stamp_ns == (stamp_ns if is_reference else since_ns)
    assert tracker.lost_frames == (0 if is_reference else lost_before + row.counts_as_lost)


def test_the_predicted_velocity_is_constant_then_zero() -> None:
    tracker, config = tracker_after(FROM[TrackingState.TRACKING]), OdometryConfig()
    horizon_ns = tracker.stamp_ns + round(1e9 * config.max_prediction)
    assert no_motion(tracker, horizon_ns).twist[2] == pytest.approx(SPEED)
    assert not no_motion(tracker, horizon_ns + 1_000_000).twist.any()


def test_a_single_camera_that_only_turned_is_initializing() -> None:
    tracker = tracker_after([only_rotation], mode="mono")
    assert only_rotation(tracker, 2 * PERIOD_NS).state is TrackingState.INITIALIZING
    assert motion(tracker, 3 * PERIOD_NS).state is TrackingState.TRACKING
    assert only_rotation(tracker, 4 * PERIOD_NS).state is TrackingState.TRACKING, "it has moved before"
    assert only_rotation(tracker_after([]), PERIOD_NS).state is TrackingState.TRACKING, "depth is known"


@pytest.mark.parametrize(("step", "gap_ns"), [(earlier_keyframe, PERIOD_NS), (motion, AFTER_GAP_NS)])
def test_no_velocity_across_a_correction(step: Step, gap_ns: int) -> None:
    tracker = tracker_after(FROM[TrackingState.LOST])
    stamp_ns = tracker.stamp_ns + gap_ns
    expected = tracker.predicted(stamp_ns).twist
    np.testing.assert_array_equal(step(tracker, stamp_ns).twist, expected)


def test_a_lost_frame_that_becomes_the_keyframe_continues_the_prediction() -> None:
    tracker = tracker_after(FROM[TrackingState.LOST])
    stamp_ns = 4 * PERIOD_NS
    before, later_ns = no_motion(tracker, stamp_ns), stamp_ns + PERIOD_NS
    ahead = se3.inverse(before.T_keyframe_camera) @ tracker.predicted(later_ns).T_keyframe_camera
    tracker.switch_keyframe(stamp_ns, before)
    after = tracker.predicted(later_ns)
    np.testing.assert_allclose(after.T_keyframe_camera, ahead, atol=1e-12)
    np.testing.assert_allclose(after.twist, before.twist)
    assert tracker.lost_frames == 0


def test_a_pose_after_a_loss_has_to_lie_within_the_gate_of_the_prediction() -> None:
    tracker, stamp_ns = tracker_after(FROM[TrackingState.LOST]), 4 * PERIOD_NS
    predicted = tracker.predicted(stamp_ns)
    sigma = float(np.sqrt(predicted.covariance[0, 0]))
    for sigmas, is_possible in ((1.0, True), (8.0, False)):
        T = se3.retract(predicted.T_keyframe_camera, np.array([sigmas * sigma, 0, 0, 0, 0, 0]))
        measured = replace(motion_at(stamp_ns), T_keyframe_camera=T)
        assert tracker.is_possible(stamp_ns, measured) is is_possible


def test_a_motion_of_unknown_length_needs_a_recent_speed() -> None:
    tracker, config = tracker_after(FROM[TrackingState.TRACKING]), OdometryConfig()
    unknown = motion_at(0, ObservableDof.UP_TO_SCALE)
    recent_ns = tracker.stamp_ns + round(1e9 * config.max_prediction)
    assert tracker.has_length(recent_ns, unknown)
    assert not tracker.has_length(recent_ns + PERIOD_NS, unknown)
    assert tracker.has_length(recent_ns + PERIOD_NS, motion_at(0))


def test_slow_image_motion_accumulates_until_it_is_detected() -> None:
    tracker = tracker_after([motion])
    still = matches_at(5.0)
    assert tracker.stationary_motion_px(still) == pytest.approx(0.0, abs=1e-5)
    for index, shift_px in enumerate((0.3, 0.6)):
        moved = matches_at(5.0 + shift_px)
        assert tracker.stationary_motion_px(moved) is not None
        tracker.hold_stationary((index + 2) * PERIOD_NS, moved, angle=1e-3, distance=2.0)
    assert tracker.stationary_motion_px(matches_at(5.9)) is None
