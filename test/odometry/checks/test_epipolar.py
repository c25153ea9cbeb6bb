"""Epipolar residuals: their Jacobian, and the refinement of a pose."""

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.checks.epipolar import POSE, linearized, refined
from loftr_ros.odometry.checks.subsampling import subsampled
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches

Pose = NDArray[np.float64]
TRUE = se3.exp(np.array([0.2, 0.05, 0.1, 0.01, -0.03, 0.02]))


def matches_of(T_a_b: Pose, noise: float, spread: NDArray[np.float64] | None = None) -> NormalizedMatches:
    """Return matches of 300 points in a box."""
    rng = np.random.default_rng(0)
    points = rng.uniform((-2, -1.5, 2), (2, 1.5, 8), (300, 3))
    in_b = (points - T_a_b[:3, 3]) @ T_a_b[:3, :3]
    a, b = (p[:, :2] / p[:, 2:] for p in (points, in_b))
    unknown = np.full(len(a), np.nan)
    return NormalizedMatches(a, b + rng.normal(0, noise, b.shape), unknown, unknown, spread)


@pytest.mark.parametrize("change", np.eye(6))
def test_the_jacobian_is_that_of_the_residuals(change: NDArray[np.float64]) -> None:
    matches = matches_of(TRUE, 0.0, np.tile([[2.0, 0.5], [0.5, 1.0]], (300, 1, 1)))
    _, J = linearized(matches, TRUE)
    ahead, _ = linearized(matches, se3.retract(TRUE, 1e-5 * change))
    back, _ = linearized(matches, se3.retract(TRUE, -1e-5 * change))
    assert change @ J[POSE] == pytest.approx((ahead - back) / 2e-5, abs=1e-5)


def test_a_wrong_pose_is_refined_among_outliers() -> None:
    matches = matches_of(TRUE, 5e-4)
    matches.b[::5] += np.random.default_rng(1).uniform(-0.1, 0.1, matches.b[::5].shape)
    start = se3.retract(TRUE, np.array([0.03, -0.03, 0.03, 0.005, -0.005, 0.005]))
    found, noise = refined(start, matches, 1e-4)
    length = np.linalg.norm(found[:3, 3])
    assert length == pytest.approx(np.linalg.norm(start[:3, 3]))
    assert found[:3, 3] / length == pytest.approx(TRUE[:3, 3] / np.linalg.norm(TRUE[:3, 3]), abs=0.02)
    assert found[:3, :3] == pytest.approx(TRUE[:3, :3], abs=1e-3)
    assert 4e-4 < noise < 8e-4  # the median absolute residual, to which a fifth of outliers adds


def test_a_mask_is_subsampled_evenly() -> None:
    mask = np.arange(1000) % 2 == 0
    some = subsampled(mask, 120)
    assert len(some) == 100
    assert mask[some].all()
    assert np.ptp(np.diff(some)) == 0
    assert (subsampled(mask, 500) == np.flatnonzero(mask)).all()
    assert len(subsampled(np.zeros(5, bool), 3)) == 0
