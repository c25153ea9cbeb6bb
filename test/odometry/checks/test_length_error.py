"""A common scale error is proportional to the distance, unlike a random walk."""

import numpy as np
import pytest

from loftr_ros.odometry.checks.length_error import LengthError
from loftr_ros.odometry.geometry import se3


def at(*position: float) -> np.ndarray:
    return se3.transform(np.eye(3), position)


def test_no_covariance_is_added_without_a_fault() -> None:
    error = LengthError()
    error.update(0.0, at(10.0, 0.0, 0.0), 5.0)
    assert not error.pose_covariance.any()
    assert not error.twist_covariance(np.ones(6)).any()


def test_the_error_grows_with_the_distance_and_remains_after_its_cause() -> None:
    error, twist = LengthError(), np.array([0.0, 3.0, 4.0, 0.1, 0.2, 0.3])
    for step in range(1, 11):
        error.update(0.1, at(0.0, 0.0, float(step)), 5.0)
    assert np.sqrt(error.pose_covariance[:3, :3]) == pytest.approx(np.eye(3))
    assert np.sqrt(error.twist_covariance(twist)[0, 0]) == pytest.approx(0.5)
    error.update(0.0, at(0.0, 0.0, 20.0), 5.0)
    assert np.sqrt(error.pose_covariance[2, 2]) == pytest.approx(1.0)
    assert not error.twist_covariance(twist).any()


def test_the_calibration_error_grows_with_the_distance_and_adds_to_that_of_a_fault() -> None:
    error, twist = LengthError(0.03), np.array([0.0, 3.0, 4.0, 0.0, 0.0, 0.2])
    error.update(0.04, at(0.0, 0.0, 10.0), 5.0)
    assert np.sqrt(np.diag(error.pose_covariance)[:3]) == pytest.approx(0.5)
    assert np.sqrt(np.diag(error.twist_covariance(twist))) == pytest.approx([0.25] * 3 + [0.006] * 3)


def test_the_calibration_error_of_a_stationary_camera_does_not_grow_and_that_of_a_return_cancels() -> None:
    error = LengthError(0.005)
    error.update(0.0, at(0.0, 0.0, 10.0), 5.0)
    before = error.pose_covariance
    for _ in range(1000):
        error.update(0.0, at(0.0, 0.0, 10.0), 5.0)
    np.testing.assert_array_equal(error.pose_covariance, before)
    error.update(0.0, np.eye(4), 5.0)
    assert not error.pose_covariance.any()


@pytest.mark.parametrize("relative", [0.01, -0.02])
def test_the_covariance_contains_a_common_scale_error_of_lengths_and_angles(relative: float) -> None:
    """On a circle the pose of wrong angles and lengths is off in heading and, at the start again, in position."""
    error, T, wrong = LengthError(abs(relative)), np.eye(4), np.eye(4)
    twist = np.array([0.0, 0.0, 0.1, 0.0, 2 * np.pi / 100, 0.0])
    for _ in range(100):
        T, wrong = T @ se3.exp(twist), wrong @ se3.exp((1 + relative) * twist)
        error.update(0.0, T, 5.0)
    assert np.linalg.norm(T[:3, 3]) < 1e-9
    position, heading = np.linalg.norm(wrong[:3, 3]), se3.log_rotation(wrong[:3, :3])[1]
    sigma = np.sqrt(np.diag(error.pose_covariance))
    assert sigma[4] == pytest.approx(abs(heading), rel=0.01)
    assert sigma[0] == pytest.approx(position, rel=0.1)
