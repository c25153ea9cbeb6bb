"""The doubt about a direction lasts as long as the depths that were triangulated along it are used."""

from dataclasses import replace

import numpy as np
import pytest

from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.pose.disparity_bias import NO_BIAS
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.pose.two_view import TwoViewGeometry
from loftr_ros.odometry.states import Degeneracy
from loftr_ros.odometry.tracking.lasting_doubt import AmbiguousDirection

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
    """As the first of a single camera, whose length is open."""
    first = motion(length)
    position = first.T_keyframe_camera[:3, 3]
    covariance = first.covariance + np.diag([sigma**2, 0, 0, 0, 0, 0])
    covariance[:3, :3] += np.outer(position, position)
    return replace(first, covariance=covariance, degeneracies=(Degeneracy.AMBIGUOUS_DIRECTION,))


def test_a_sure_direction_stays_as_it_is() -> None:
    sure = motion(1.0)
    assert AmbiguousDirection().of(sure, FIRST_NS) is sure


def test_motions_with_its_depths_have_the_doubt_of_an_ambiguous_one() -> None:
    doubt = AmbiguousDirection()
    doubt.of(ambiguous(0.1, 0.08), FIRST_NS)
    for keyframe_ns in (FIRST_NS, NEXT_NS):
        later = doubt.of(motion(0.2), keyframe_ns)
        assert np.sqrt(np.diag(later.covariance)[:3]) == pytest.approx([0.16] * 3, rel=0.01)
        assert later.degeneracies == (Degeneracy.AMBIGUOUS_DIRECTION,)
    third = motion(0.2)
    assert doubt.of(third, THIRD_NS) is third


def test_an_improbable_rival_leaves_a_doubt_of_half_a_radian() -> None:
    doubt = AmbiguousDirection()
    doubt.of(ambiguous(0.1, 0.001), FIRST_NS)
    assert np.sqrt(doubt.of(motion(0.2), FIRST_NS).covariance[0, 0]) == pytest.approx(0.1, rel=0.01)
