"""Positions of wheels by time, and the scale of a camera beside them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.scale.filter import KeyframeStep, ScaleSample
from loftr_ros.odometry.scale.wheel_scale import PositionBuffer, WheelScale
from loftr_ros.odometry.states import TrackingState

SCALE = 0.4  # meters per unit
FORWARD = (0.0, 0.0, 0.2, 0.0, 0.0, 0.0)  # meters
PERIOD_NS = 100_000_000
Array = NDArray[np.float64]


def test_positions_are_interpolated() -> None:
    wheels = PositionBuffer()
    for stamp, x in ((0, 0.0), (100, 1.0), (200, 3.0)):
        wheels.add(stamp, np.array([x, 0, 0]))
    for stamp, x in ((0, 0.0), (50, 0.5), (100, 1.0), (175, 2.5), (200, 3.0)):
        position = wheels.position(stamp)
        assert position is not None
        assert position[0] == pytest.approx(x)


def test_nothing_is_made_up_before_after_and_in_gaps() -> None:
    wheels = PositionBuffer()
    assert wheels.position(0) is None
    assert not wheels.reaches(0)
    for stamp in (10, 20, 10**10):
        wheels.add(stamp, np.zeros(3))
    assert wheels.position(5) is None
    assert wheels.position(30) is None
    assert wheels.position(10**10 + 1) is None
    assert wheels.reaches(10**10)
    assert not wheels.reaches(10**10 + 1)


def test_the_oldest_positions_are_forgotten() -> None:
    wheels = PositionBuffer(capacity=3)
    for stamp in range(5):
        wheels.add(stamp, np.zeros(3))
    assert wheels.position(1) is None
    assert wheels.position(2) is not None


def test_time_that_jumps_back_starts_anew() -> None:
    wheels = PositionBuffer()
    for stamp in (100, 200, 50):
        wheels.add(stamp, np.full(3, stamp))
    assert wheels.position(150) is None
    assert wheels.position(50) is not None


def driven(steps: list[tuple[float, ...]], states: dict[int, TrackingState] | None = None) -> list[KeyframeStep]:
    """Keyframes of a camera, in units, that makes these steps (v, w), in meters."""
    found = []
    for index, step in enumerate(steps, start=1):
        T = se3.exp(np.array(step))
        T[:3, 3] /= SCALE
        state = (states or {}).get(index, TrackingState.TRACKING)
        none = Matches.empty(), np.zeros(0, bool), None
        estimate = OdometryEstimate(
            index * PERIOD_NS, np.eye(4), np.eye(6), np.zeros(6), np.eye(6), state, *none, 0.0, {}, False, True
        )
        found.append(KeyframeStep(estimate, (index - 1) * PERIOD_NS, T, np.eye(6) * 1e-6))
    return found


def rolled(distances: list[float]) -> PositionBuffer:
    """Wheels that go straight on, known at the times of the keyframes."""
    wheels = PositionBuffer()
    for index, x in enumerate(np.cumsum([0.0, *distances])):
        wheels.add(index * PERIOD_NS, np.array([x, 0.0, 0.0]))
    return wheels


def measured(wheels: PositionBuffer, steps: list[KeyframeStep]) -> list[ScaleSample]:
    source = WheelScale(wheels)
    return [sample for step in steps for sample in source.samples(step)]


def test_the_ratio_of_the_distances() -> None:
    samples = measured(rolled(10 * [0.2]), driven(10 * [FORWARD]))
    assert len(samples) == 9
    assert [np.exp(sample.log_scale) for sample in samples] == pytest.approx(9 * [SCALE])
    assert all(0.02 < sample.sigma < 0.06 for sample in samples)


def test_short_steps_are_put_together() -> None:
    samples = measured(rolled(40 * [0.02]), driven(40 * [(0.0, 0.0, 0.02, 0.0, 0.0, 0.0)]))
    assert 3 <= len(samples) <= 6
    assert np.exp(samples[0].log_scale) == pytest.approx(SCALE)


def test_turning_in_place_tells_nothing() -> None:
    turn = (0.05, 0.0, 0.0, 0.0, 0.1, 0.0)  # the camera sits before the axle
    assert measured(rolled(30 * [0.0]), driven(30 * [turn])) == []
    afterwards = measured(rolled(30 * [0.0] + 8 * [0.2]), driven(30 * [turn] + 8 * [FORWARD]))
    assert len(afterwards) >= 4
    assert [np.exp(sample.log_scale) for sample in afterwards] == pytest.approx(len(afterwards) * [SCALE], rel=0.05)


def test_wheels_that_spin_tell_nothing_of_a_camera_that_stands() -> None:
    still = (0.0, 0.0, 1e-5, 0.0, 0.0, 0.0)
    assert measured(rolled(10 * [0.2]), driven(10 * [still])) == []


def test_a_way_does_not_go_on_in_a_new_unit() -> None:
    """The wheels go far while the camera is lost; how long its step was is a guess."""
    steps = driven(10 * [FORWARD], {4: TrackingState.LOST})
    samples = measured(rolled([0.2, 0.2, 0.2, 5.0] + 6 * [0.2]), steps)
    assert [np.exp(sample.log_scale) for sample in samples] == pytest.approx(8 * [SCALE])


def test_a_step_of_undetermined_length_is_not_measured() -> None:
    steps = driven(10 * [FORWARD])
    steps[3] = replace(steps[3], covariance=np.eye(6) * (0.2 / SCALE) ** 2)
    assert len(measured(rolled([0.2, 0.2, 0.2, 5.0] + 6 * [0.2]), steps)) == 8


def test_an_uncertain_camera_needs_a_longer_way() -> None:
    certain = driven(20 * [FORWARD])
    uncertain = [KeyframeStep(s.estimate, s.keyframe_ns, s.T_keyframe_camera, 1e4 * s.covariance) for s in certain]
    assert 0 < len(measured(rolled(20 * [0.2]), uncertain)) < len(measured(rolled(20 * [0.2]), certain)) / 3


def test_positions_that_come_late_are_waited_for() -> None:
    wheels, steps = PositionBuffer(), driven(6 * [FORWARD])
    source = WheelScale(wheels)
    assert [source.samples(step) for step in steps[:5]] == 5 * [[]]
    for index in range(7):
        wheels.add(index * PERIOD_NS, np.array([0.2 * index, 0.0, 0.0]))
    assert len(source.samples(steps[5])) == 5
