"""Constant-velocity prediction, its process noise, and the motion limits."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.gating import within_mahalanobis_gate
from loftr_ros.odometry.tracking.motion_model import (
    GROWTH_S,
    ConstantVelocityModel,
    is_sudden,
    within_motion_limits,
)

TWIST = np.array([0.3, 0.0, 1.2, 0.0, 0.2, 0.0])
VELOCITY = ConstantVelocityModel(10**9, TWIST, np.eye(6) * 1e-4, top_speed=1.24, horizon_s=0.5)


def ns(seconds: float) -> int:
    """Stamp of a time after the velocity was measured."""
    return 10**9 + round(1e9 * seconds)


def test_the_velocity_is_constant_up_to_the_horizon_then_zero() -> None:
    np.testing.assert_allclose(VELOCITY.step(ns(0), ns(0.3)), se3.exp(0.3 * TWIST), atol=1e-12)
    np.testing.assert_allclose(VELOCITY.step(ns(0.2), ns(3.0)), se3.exp(0.3 * TWIST), atol=1e-12)
    np.testing.assert_array_equal(VELOCITY.twist_at(ns(0.5)), TWIST)
    assert not VELOCITY.twist_at(ns(0.6)).any()


def test_the_process_noise_is_additive_over_successive_steps() -> None:
    """So a new keyframe while lost leaves the covariance unchanged."""
    times = [0.0, 0.1, 0.4, 0.7, 2.0, 9.0, 20.0]
    parts = [VELOCITY.process_noise(ns(a), ns(b)) for a, b in pairwise(times)]
    np.testing.assert_allclose(sum(parts), VELOCITY.process_noise(ns(0), ns(20.0)), atol=1e-9)
    for part in parts[:-1]:
        assert np.linalg.eigvalsh(part)[0] > 0


def test_the_process_noise_grows_and_is_bounded() -> None:
    variances = [np.trace(VELOCITY.process_noise(ns(0), ns(t))) for t in (0.1, 0.2, 0.4, 1.0, GROWTH_S, 1e5)]
    assert variances[0] < variances[1] < variances[2] < variances[3] < variances[4] == variances[5] < 1e9
    twists = [np.trace(VELOCITY.twist_covariance_at(ns(t))) for t in (0.0, 0.1, 0.3, 0.6, 1e5)]
    assert twists[0] < twists[1] < twists[2] < twists[3] == twists[4]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.5])
def test_a_camera_that_stops_or_speeds_up_is_within_the_gate(share: float) -> None:
    for seconds in (0.2, 1.0, 5.0):
        truth = se3.exp(seconds * share * TWIST)
        step, noise = VELOCITY.step(ns(0), ns(seconds)), VELOCITY.process_noise(ns(0), ns(seconds))
        assert within_mahalanobis_gate(truth, np.eye(6) * 1e-6, step, noise)


def test_a_large_innovation_is_outside_the_gate() -> None:
    step, noise = VELOCITY.step(ns(0), ns(0.3)), VELOCITY.process_noise(ns(0), ns(0.3))
    for off in ([3.0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1.5, 0]):
        assert not within_mahalanobis_gate(step @ se3.exp(np.array(off)), np.eye(6) * 1e-6, step, noise)
        assert within_mahalanobis_gate(step @ se3.exp(np.array(off)), np.eye(6), step, noise)  # within its covariance


def moved(z: float, turn: float = 0.0) -> NDArray[np.float64]:
    return se3.transform(se3.exp_rotation([0.0, turn, 0.0]), [0.0, 0.0, z])


def test_limits_of_speed_and_angular_velocity() -> None:
    metric = OdometryConfig(mode="stereo", max_speed=2.0, max_angular_velocity=3.0)
    assert within_motion_limits(moved(0.19), 0.1, 0.0, 1.0, metric)
    assert not within_motion_limits(moved(0.21), 0.1, 0.0, 1.0, metric)
    assert within_motion_limits(moved(0.21), 0.2, 0.0, 1.0, metric)
    assert within_motion_limits(moved(0.0, 0.29), 0.1, 0.0, 1.0, metric)
    assert not within_motion_limits(moved(0.0, -0.31), 0.1, 0.0, 1.0, metric)
    assert within_motion_limits(moved(0.01), 1e-6, 0.0, 1.0, metric)  # stamps almost equal by jitter


def test_a_speed_of_unknown_scale_is_limited_relative_to_the_recent_speed() -> None:
    mono = OdometryConfig(mode="mono", max_speed=2.0, max_speed_ratio=10.0)
    assert within_motion_limits(moved(1e6), 0.1, 0.0, None, mono)  # no recent speed
    assert within_motion_limits(moved(0.9), 0.1, 1.0, None, mono)
    assert not within_motion_limits(moved(1.1), 0.1, 1.0, None, mono)
    assert not within_motion_limits(moved(0.0, 2.0), 0.1, 1.0, None, mono)


def test_an_acceleration_from_rest_is_within_the_gate() -> None:
    still = replace(VELOCITY, twist=np.zeros(6), top_speed=0.0)
    assert within_mahalanobis_gate(moved(0.1), np.eye(6) * 1e-6, np.eye(4), still.process_noise(ns(0), ns(0.5)))


@pytest.mark.parametrize(
    ("motion", "seconds", "expected"),
    [(0.67, 0.033, False), (0.67, 0.018, False), (0.67, 0.048, False), (2.5, 0.033, True)],
    ids=["steady", "after a late stamp", "a late stamp", "another motion"],
)
def test_stamps_at_arrival_are_no_sudden_motion(motion: float, seconds: float, expected: bool) -> None:
    """A vehicle at 20 m/s and 30 Hz, whose images are stamped up to half a frame late."""
    twist = np.array([0.0, 0.0, 20.0, 0.0, 0.0, 0.0])
    model = ConstantVelocityModel(10**9, twist, np.eye(6) * 1e-4, top_speed=20.0, horizon_s=0.5)
    T_measured, T_predicted = se3.exp(motion / 20.0 * twist), se3.exp(seconds * twist)
    assert is_sudden(T_measured, np.eye(6) * 1e-6, T_predicted, model, seconds) is expected
