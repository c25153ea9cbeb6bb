"""The covariance of a competing motion that few matches support: only beside an object that may hide the scene."""

import numpy as np
import pytest

from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, transfer
from loftr_ros.odometry.pose.degeneracy import competing_motion_covariance
from loftr_ros.odometry.pose.two_view import TwoViewGeometry

FOCAL, THRESHOLD_PX, MIN_INLIERS = 400.0, 1.0, 25
# The camera creeps, so that a homography fits whatever the relief; repeated panels, or what an object hides, agree on a
# motion of half a meter.
T_CREEPING = se3.exp(np.array([0.01, 0.0, 0.0, 0.0, 0.0, 0.0]))
T_OTHER = se3.exp(np.array([0.5, 0.0, 0.0, 0.0, 0.0, 0.0]))


def scene(depths: tuple[float, float]) -> tuple[NormalizedMatches, np.ndarray]:
    """300 points between these depths that creep, and 30 that move otherwise; and which are the former."""
    draw = np.random.default_rng(3)
    a = np.c_[draw.uniform(-0.6, 0.6, (330, 2)), np.ones(330)]
    rho = 1.0 / draw.uniform(*depths, 330)
    inliers = np.arange(330) < 300
    b = np.where(inliers, transfer(a.T, rho, T_CREEPING), transfer(a.T, rho, T_OTHER)).T
    b[:, :2] += draw.normal(0, 0.1 / FOCAL, (330, 2))
    sigma = np.full(330, 1e-3)
    return NormalizedMatches(a[:, :2], b[:, :2] / b[:, 2:], rho, sigma), inliers


@pytest.mark.parametrize(("depths", "is_expected"), [((4.0, 4.0), True), ((3.0, 6.0), False)], ids=["flat", "relief"])
def test_few_matches_compete_only_with_a_flat_object(depths: tuple[float, float], is_expected: bool) -> None:
    matches, inliers = scene(depths)
    covariance = competing_motion_covariance(
        matches, inliers, T_CREEPING, TwoViewGeometry.PLANAR, THRESHOLD_PX / FOCAL, MIN_INLIERS
    )
    assert (covariance is not None) is is_expected
    if covariance is not None:
        assert np.sqrt(covariance[0, 0]) == pytest.approx(0.49, abs=0.06)  # the difference of both motions
