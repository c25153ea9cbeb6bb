from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.evaluation.rpe import Statistics, relative_pose_errors, segment_drift
from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError
from loftr_ros.odometry.geometry import se3

Wandering = Callable[..., Trajectory]


def straight(count: int, step_m: float) -> Trajectory:
    """Straight ahead along z."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 2, 3] = step_m * np.arange(count)
    return Trajectory(10**8 * np.arange(count), poses)


def turning(truth: Trajectory, degrees_a_frame: float) -> Trajectory:
    """The same places, but the heading drifts away from the true one."""
    poses = truth.poses.copy()
    for index in range(len(truth)):
        poses[index, :3, :3] = se3.exp_rotation([0.0, np.radians(degrees_a_frame * index), 0.0])
    return Trajectory(truth.stamps_ns, poses)


def scaled(truth: Trajectory, scale: float) -> Trajectory:
    poses = truth.poses.copy()
    poses[:, :3, 3] *= scale
    return Trajectory(truth.stamps_ns, poses)


def offset(truth: Trajectory, errors_m: list[float]) -> Trajectory:
    """Sideways by so much at each pose."""
    poses = truth.poses.copy()
    poses[:, 0, 3] += errors_m
    return Trajectory(truth.stamps_ns, poses)


def tuple_of(statistics: Statistics) -> NDArray[np.float64]:
    return np.array([statistics.rmse, statistics.mean, statistics.median, statistics.max])


def test_rpe_over_one_frame_by_hand() -> None:
    truth = straight(4, 1.0)
    rpe = relative_pose_errors(turning(truth, 2.0), truth)
    # The motion of 1 m is seen turned by 0, 2 and 4 degrees: chords of 2 sin(angle / 2).
    chords = 2 * np.sin(np.radians([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(tuple_of(rpe.translation_m), tuple_of(Statistics.of(chords)), atol=1e-12)
    np.testing.assert_allclose(tuple_of(rpe.rotation_deg), 2.0)
    assert rpe.pairs == 3


def test_rpe_over_several_frames_counts_overlapping_pairs() -> None:
    truth = straight(6, 1.0)
    rpe = relative_pose_errors(offset(truth, [0.0, 0.0, 1.0, 0.0, 0.0, 3.0]), truth, delta=2)
    # Pairs 0-2, 1-3, 2-4, 3-5.
    np.testing.assert_allclose(tuple_of(rpe.translation_m), [np.sqrt(11 / 4), 5 / 4, 1.0, 3.0])
    assert rpe.pairs == 4


def test_rpe_over_meters() -> None:
    truth = straight(20, 0.4)
    rpe = relative_pose_errors(turning(truth, 1.0), truth, delta=1.0, unit="m")
    # 3 frames of 0.4 m are the first to exceed 1 m.
    assert (rpe.delta, rpe.unit, rpe.pairs) == (1.0, "m", 17)
    np.testing.assert_allclose(tuple_of(rpe.rotation_deg), 3.0)


def test_rpe_does_not_depend_on_the_frame(wandering: Wandering) -> None:
    truth = wandering()
    elsewhere = Trajectory(truth.stamps_ns, se3.exp(np.arange(6.0)) @ truth.poses)
    rpe = relative_pose_errors(elsewhere, truth, delta=5)
    assert rpe.translation_m.max < 1e-9
    assert rpe.rotation_deg.max < 1e-5


@pytest.mark.parametrize(("delta", "unit"), [(0.5, "frames"), (float("inf"), "frames"), (6, "frames"), (5.0, "m")])
def test_delta_that_does_not_fit(delta: float, unit: str) -> None:
    truth = straight(6, 1.0)
    with pytest.raises(TrajectoryError, match=r"delta|apart"):
        relative_pose_errors(truth, truth, delta, unit)  # type: ignore[arg-type]


def test_drift_of_a_known_scale_error() -> None:
    """Frames 0.5 m apart, 1 % too long; a segment of 100 m ends at the first frame beyond it, which is 100.5 m away."""
    truth = straight(501, 0.5)
    drift = segment_drift(scaled(truth, 1.01), truth)
    assert drift is not None
    assert [part.length_m for part in drift.by_length] == [100.0, 200.0]
    # Starts at frames 0, 10, ... whose end, 201 and 401 frames later, exists.
    assert [part.segments for part in drift.by_length] == [30, 10]
    assert drift.by_length[0].translation_percent == pytest.approx(1.005)
    assert drift.by_length[1].translation_percent == pytest.approx(0.01 * 200.5 / 200.0 * 100)
    assert drift.segments == 40
    assert drift.translation_percent == pytest.approx((30 * 1.005 + 10 * 1.0025) / 40)
    assert drift.rotation_deg_per_m == pytest.approx(0.0, abs=1e-9)


def test_drift_of_a_known_turn() -> None:
    truth = straight(501, 0.5)
    drift = segment_drift(turning(truth, 0.01), truth)
    assert drift is not None
    assert drift.by_length[0].rotation_deg_per_m == pytest.approx(0.01 * 201 / 100)
    assert drift.by_length[1].rotation_deg_per_m == pytest.approx(0.01 * 401 / 200)


@pytest.mark.parametrize(
    ("path_m", "lengths"), [(60.0, [10, 20, 50]), (8.0, [1, 2, 5]), (1.0, []), (0.0, []), (801.0, range(100, 801, 100))]
)
def test_lengths_that_fit_the_path(path_m: float, lengths: list[int]) -> None:
    truth = straight(1001, path_m / 1000)
    drift = segment_drift(truth, truth)
    assert [part.length_m for part in drift.by_length] == list(lengths) if drift else not lengths


def test_short_segments_are_measured_by_the_way_driven() -> None:
    """Frames 3 m apart, where a segment of 10 m is one of 12 m."""
    truth = straight(21, 3.0)
    drift = segment_drift(scaled(truth, 1.01), truth)
    turned = segment_drift(turning(truth, 0.3), truth)
    assert drift is not None
    assert turned is not None
    assert [part.segments for part in drift.by_length] == [17, 14, 4]
    assert [part.translation_percent for part in drift.by_length] == pytest.approx([1.0, 1.0, 1.0])
    assert [part.rotation_deg_per_m for part in turned.by_length] == pytest.approx([0.1, 0.1, 0.1])
