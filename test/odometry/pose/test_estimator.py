from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, homogeneous
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate, estimate_relative_pose
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.pose.two_view import two_view_pose

FOCAL = 700.0
# A car that drives 6 m between two frames, and what a stereo pair of 0.5 m sees of it.
FORWARD = se3.transform(se3.exp_rotation([0.0, 0.01, 0.0]), [0.1, 0.0, 6.0])
SIGMA = 0.3 / (FOCAL * 0.5)


def road(T_a_b: NDArray[np.float64], count: int = 150, wrong_depth: float = 0.15) -> NormalizedMatches:
    """Mostly far points; some have the depth of something much nearer."""
    rng = np.random.default_rng(0)
    a = rng.uniform((-0.8, -0.25), (0.8, 0.25), (count, 2))
    rho = 1.0 / rng.uniform(12, 80, count)
    in_b = (homogeneous(a) - rho[:, None] * T_a_b[:3, 3]) @ T_a_b[:3, :3]
    b = in_b[:, :2] / in_b[:, 2:] + rng.normal(size=(count, 2)) * 0.3 / FOCAL
    measured = rho + SIGMA * rng.normal(size=count)
    wrong = rng.random(count) < wrong_depth
    measured[wrong] = rng.uniform(0.2, 1.0, wrong.sum())
    return NormalizedMatches(a, b, measured, np.full(count, SIGMA))


def solve(
    matches: NormalizedMatches, mode: str = "stereo", position: tuple[float, ...] = (0.0, 0.0, 0.0)
) -> RelativePoseEstimate | None:
    config = OdometryConfig(mode=mode)  # type: ignore[arg-type]
    return estimate_relative_pose(matches, FOCAL, np.array(position), 2.0, config)


@pytest.mark.parametrize("mode", ["stereo", "mono"])
def test_wrong_depths_do_not_hold_the_camera_back(mode: str) -> None:
    motion = solve(road(FORWARD), mode)
    assert motion is not None
    assert motion.observable is ObservableDof.FULL
    np.testing.assert_allclose(motion.T_keyframe_camera[:3, 3], FORWARD[:3, 3], atol=0.3)


def test_depth_makes_a_pure_rotation_a_measured_pose() -> None:
    turn = se3.transform(se3.exp_rotation([0.0, 0.05, 0.0]), np.zeros(3))
    motion = solve(road(turn))
    assert motion is not None
    assert motion.observable is ObservableDof.FULL
    assert np.linalg.norm(motion.T_keyframe_camera[:3, 3]) < 0.1


def test_without_depth_the_length_is_what_was_asked_for() -> None:
    motion = solve(road(FORWARD).without_depth())
    assert motion is not None
    assert motion.observable is ObservableDof.UP_TO_SCALE
    assert np.linalg.norm(motion.T_keyframe_camera[:3, 3]) == pytest.approx(2.0)
    along = motion.T_keyframe_camera[:3, 3] / 2.0
    across = np.linalg.svd(along[None])[2][1]
    position = motion.covariance[:3, :3]
    assert along @ position @ along == pytest.approx(4.0, rel=0.01)  # as unknown as it is long
    assert across @ position @ across < 0.1


def test_without_depth_a_pure_rotation_keeps_the_position() -> None:
    turn = se3.transform(se3.exp_rotation([0.0, 0.05, 0.0]), np.zeros(3))
    motion = solve(road(turn).without_depth(), position=(1.0, 2.0, 3.0))
    assert motion is not None
    assert motion.observable is ObservableDof.ROTATION_ONLY
    np.testing.assert_array_equal(motion.T_keyframe_camera[:3, 3], [1.0, 2.0, 3.0])
    assert np.linalg.norm(se3.log_rotation(motion.T_keyframe_camera[:3, :3].T @ turn[:3, :3])) < 1e-3


def test_too_few_matches_are_no_motion() -> None:
    assert solve(road(FORWARD, count=20)) is None
    assert solve(road(FORWARD, count=0)) is None


@pytest.mark.parametrize("right", [0.2, 0.5])
def test_a_pose_that_few_of_the_matches_agree_with_is_none(right: float) -> None:
    """Wrong matches spread the noise, and with it what counts as agreement."""
    matches = road(FORWARD, count=600, wrong_depth=0.0)
    rng = np.random.default_rng(1)
    wrong = rng.random(len(matches)) > right
    matches.b[wrong] += rng.normal(size=(wrong.sum(), 2)) * 30 / FOCAL
    assert (solve(matches) is None) == (right < 1 / 3)


def fit_from_prior(
    matches: NormalizedMatches, T_predicted: NDArray[np.float64], mode: str = "stereo"
) -> RelativePoseEstimate:
    config = OdometryConfig(mode=mode)  # type: ignore[arg-type]
    motion = estimate_relative_pose(matches, FOCAL, np.zeros(3), 2.0, config, T_predicted=T_predicted)
    assert motion is not None
    return motion


@pytest.mark.parametrize("mode", ["stereo", "mono"])
def test_a_predicted_pose_saves_the_search_and_changes_nothing(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    matches = road(FORWARD, wrong_depth=0.0)
    searched = solve(matches, mode)
    assert searched is not None
    monkeypatch.setattr("loftr_ros.odometry.pose.hypotheses.two_view_pose", None)
    near = se3.retract(FORWARD, np.array([0.02, 0.0, 0.05, 0.0, 0.001, 0.0]))
    motion = fit_from_prior(matches, near, mode)
    np.testing.assert_allclose(motion.T_keyframe_camera, searched.T_keyframe_camera, atol=2e-3)
    assert motion.geometry is searched.geometry
    assert motion.parallax_px == pytest.approx(searched.parallax_px, rel=0.1)
    assert motion.inliers.sum() == pytest.approx(searched.inliers.sum(), abs=2)


@pytest.mark.parametrize("mode", ["stereo", "mono"])
def test_from_far_off_the_search_is_better(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[NormalizedMatches] = []

    def spy(matches: NormalizedMatches, *rest: Any) -> Any:
        searches.append(matches)
        return two_view_pose(matches, *rest)

    monkeypatch.setattr("loftr_ros.odometry.pose.hypotheses.two_view_pose", spy)
    matches = road(FORWARD, wrong_depth=0.0)
    motion = fit_from_prior(matches, se3.retract(FORWARD, np.array([0.0, 0.0, 0.0, 0.0, 0.02, 0.0])), mode)
    assert len(searches) == 1
    np.testing.assert_allclose(motion.T_keyframe_camera[:3, 3], FORWARD[:3, 3], atol=0.3)


def test_a_prediction_does_not_outweigh_the_matches() -> None:
    """A third of the matches moves as predicted; the others moved otherwise."""
    otherwise = se3.transform(se3.exp_rotation([0.0, 0.02, 0.0]), [0.4, 0.0, 3.0])
    matches, others = road(FORWARD, wrong_depth=0.0), road(otherwise, wrong_depth=0.0)
    as_predicted = np.arange(len(matches)) % 3 == 0
    matches = NormalizedMatches(
        matches.a, np.where(as_predicted[:, None], matches.b, others.b), matches.inverse_depth, matches.sigma
    )
    motion = fit_from_prior(matches, FORWARD)
    np.testing.assert_allclose(motion.T_keyframe_camera[:3, 3], otherwise[:3, 3], atol=0.3)
    assert motion.inliers[~as_predicted].mean() > 0.9
