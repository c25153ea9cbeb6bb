"""A common scale error is proportional to the distance, unlike a random walk."""

import numpy as np
import pytest

from loftr_ros.odometry.checks.length_error import LengthError


def test_no_covariance_is_added_without_a_fault() -> None:
    error = LengthError()
    error.update(0.0, np.array([10.0, 0.0, 0.0]), 5.0)
    assert not error.pose_covariance.any()
    assert not error.twist_covariance(np.ones(6)).any()


def test_the_error_grows_with_the_distance_and_remains_after_its_cause() -> None:
    error, twist = LengthError(), np.array([0.0, 3.0, 4.0, 0.1, 0.2, 0.3])
    for step in range(1, 11):
        error.update(0.1, np.array([0.0, 0.0, float(step)]), 5.0)
    assert np.sqrt(error.pose_covariance[:3, :3]) == pytest.approx(np.eye(3))
    assert np.sqrt(error.twist_covariance(twist)[0, 0]) == pytest.approx(0.5)
    error.update(0.0, np.array([0.0, 0.0, 20.0]), 5.0)
    assert np.sqrt(error.pose_covariance[2, 2]) == pytest.approx(1.0)
    assert not error.twist_covariance(twist).any()
