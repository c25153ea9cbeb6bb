"""The covariance of an ambiguous direction lasts while the depths triangulated along it are used.

That of a competing motion lasts while an object may fill the view.
"""

from dataclasses import replace

import numpy as np
import pytest

from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.pose.disparity_bias import NO_BIAS
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.pose.two_view import TwoViewGeometry
from loftr_ros.odometry.states import Degeneracy
from loftr_ros.odometry.tracking.correlated_errors import AmbiguousDirectionMemory, CompetingMotionMemory

FIRST_NS, NEXT_NS, THIRD_NS = 0, 10, 20  # stamps of keyframes


def motion(length: float) -> RelativePoseEstimate:
    return RelativePoseEstimate(
        T_keyframe_camera=se3.transform(np.eye(3), [0.0, 0.0, length]),
        covariance=1e-6 * np.eye(6),
        depth_sensitivity=np.zeros((0, 6)),
        inliers=np.ones(0, bool),
        parallax_px=5.0,
        observable=ObservableDof.FULL,
        geometry=TwoViewGeometry.GENERAL,
        degeneracies=(),
        noise_px=0.3,
        disparity_bias=NO_BIAS,
        competing_covariance=np.zeros((6, 6)),
    )


def ambiguous(length: float, sigma: float) -> RelativePoseEstimate:
    """Return a first motion of a single camera, whose length is unobservable."""
    first = motion(length)
    position = first.T_keyframe_camera[:3, 3]
    covariance = first.covariance + np.diag([sigma**2, 0, 0, 0, 0, 0])
    covariance[:3, :3] += np.outer(position, position)
    return replace(first, covariance=covariance, degeneracies=(Degeneracy.AMBIGUOUS_DIRECTION,))


def test_an_unambiguous_motion_is_unchanged() -> None:
    unambiguous = motion(1.0)
    assert AmbiguousDirectionMemory().inflated(unambiguous, FIRST_NS) is unambiguous


def test_motions_measured_with_affected_depths_are_inflated() -> None:
    memory = AmbiguousDirectionMemory()
    memory.inflated(ambiguous(0.1, 0.08), FIRST_NS)
    for keyframe_ns in (FIRST_NS, NEXT_NS):
        later = memory.inflated(motion(0.2), keyframe_ns)
        across, other, along = np.sqrt(np.diag(later.covariance)[:3])
        assert (across, other) == pytest.approx((0.16, 0.16), rel=0.01)
        assert along == pytest.approx(0.001)  # the length of the translation is unaffected
        assert later.degeneracies == (Degeneracy.AMBIGUOUS_DIRECTION,)
    third = motion(0.2)
    assert memory.inflated(third, THIRD_NS) is third


def test_the_inflation_is_at_least_half_a_radian() -> None:
    memory = AmbiguousDirectionMemory()
    memory.inflated(ambiguous(0.1, 0.001), FIRST_NS)
    assert np.sqrt(memory.inflated(motion(0.2), FIRST_NS).covariance[0, 0]) == pytest.approx(0.1, rel=0.01)


def test_a_velocity_error_lasts_while_an_object_fills_the_view() -> None:
    """A competing motion in the first frame only; later keyframes show one plane, the last one a scene."""
    memory, second = CompetingMotionMemory(), 10**9
    competing = motion(1.0).with_competing_motion(np.diag([0, 0, 4.0, 0, 0, 0]))
    assert memory.inflated(competing, 0, 0, second).competing_covariance[2, 2] == pytest.approx(4.0)
    plane = replace(motion(1.0), geometry=TwoViewGeometry.PLANAR)
    for start in (1, 2, 3):
        later = memory.inflated(plane, start * second, start * second, (start + 1) * second)
        assert later.competing_covariance[2, 2] == pytest.approx(4.0 * ((start + 1) ** 2 - start**2))
        assert later.degeneracies == (Degeneracy.COMPETING_MOTION,)
    scene = motion(1.0)
    assert memory.inflated(scene, 4 * second, 4 * second, 5 * second) is scene


def test_the_pose_in_a_keyframe_with_a_competing_motion_stays_uncertain() -> None:
    memory, second = CompetingMotionMemory(), 10**9
    memory.inflated(motion(1.0).with_competing_motion(np.diag([0, 0, 4.0, 0, 0, 0])), 0, 0, second)
    later = memory.inflated(motion(2.0), 0, second, 2 * second)
    assert later.covariance[2, 2] == pytest.approx(16.0, rel=1e-3)
    assert later.degeneracies == ()
