"""A correction reaches the published pose over several frames, within the announced covariance."""

import numpy as np

from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.tracking.gradual_correction import GradualCorrection

SIGMA = np.diag([0.1, 0.1, 0.1, 0.02, 0.02, 0.02]) ** 2


def test_without_a_correction_the_pose_is_published_as_it_is() -> None:
    T = se3.exp(np.arange(6) / 10)
    published, covariance = GradualCorrection().published(0, T, SIGMA)
    assert published is T
    assert covariance is SIGMA


def test_the_published_pose_goes_to_the_corrected_one_without_a_jump() -> None:
    """Of a correction of 4.7 standard deviations, the largest that the gate accepts, never more than one in a frame."""
    correction = GradualCorrection()
    before, _ = correction.published(0, np.eye(4), SIGMA)
    change = np.sqrt(22.46 / 6) * np.sqrt(np.diag(SIGMA))
    corrected = se3.retract(before, change)
    correction.add(before, corrected)
    steps = []
    for index in range(1, 200):
        after, covariance = correction.published(round(index * 1e9 / 5), corrected, 0.1 * SIGMA)
        step = se3.difference(after, before)
        steps.append(step @ np.linalg.solve(SIGMA, step))
        error = se3.difference(after, corrected)
        assert error @ np.linalg.solve(covariance, error) <= 1.0 + 1e-9
        before = after
    assert max(steps) < 1.0
    np.testing.assert_allclose(after, corrected, atol=1e-5)


def test_a_fast_camera_takes_as_long_as_a_slow_one() -> None:
    correction = GradualCorrection()
    correction.published(0, np.eye(4), SIGMA)
    correction.add(np.eye(4), se3.transform(np.eye(3), [1.0, 0.0, 0.0]))
    for index in range(1, 101):
        T, _ = correction.published(round(index * 1e7), se3.transform(np.eye(3), [1.0, 0.0, 0.0]), SIGMA)
    assert 0.8 < T[0, 3] < 0.9  # 1 - 1/e² after two time constants
