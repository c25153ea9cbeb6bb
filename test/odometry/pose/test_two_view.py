from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, homogeneous, triangulate
from loftr_ros.odometry.pose.two_view import TwoViewGeometry, TwoViewPose, fit_rotation, two_view_pose

FOCAL = 400.0
Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def scene(T_a_b: NDArray[np.float64], plane: bool = False, noise_px: float = 0.3, outliers: float = 0.2) -> Points:
    rng = np.random.default_rng(1)
    points_a = rng.uniform((-0.8, -0.6), (0.8, 0.6), (600, 2))
    depth = 5.0 / (1.0 + 0.3 * points_a[:, 0]) if plane else rng.uniform(3, 15, 600)
    in_b = (homogeneous(points_a) * depth[:, None] - T_a_b[:3, 3]) @ T_a_b[:3, :3]
    points_b = in_b[:, :2] / in_b[:, 2:] + rng.normal(size=(600, 2)) * noise_px / FOCAL
    wrong = rng.random(600) < outliers
    points_b[wrong] = rng.uniform((-0.8, -0.6), (0.8, 0.6), (wrong.sum(), 2))
    return points_a, points_b


def solve(points: Points, min_inliers: int = 25) -> TwoViewPose | None:
    unknown = np.full(len(points[0]), np.nan)
    return two_view_pose(
        NormalizedMatches(*points, unknown, unknown),
        FOCAL,
        threshold_px=1.0,
        min_parallax_px=1.0,
        min_inliers=min_inliers,
    )


def angle_deg(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))))


def rotation_error_deg(R: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    return float(np.degrees(np.linalg.norm(se3.log_rotation(R.T @ truth))))


@settings(max_examples=30, deadline=None)
@given(
    direction=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.3),
    turn=st.tuples(*[st.floats(-0.15, 0.15)] * 3),
)
def test_general_motion(direction: tuple[float, ...], turn: tuple[float, ...]) -> None:
    T = se3.transform(se3.exp_rotation(turn), 0.8 * np.array(direction) / np.linalg.norm(direction))
    pose = solve(scene(T))
    assert pose is not None
    assert pose.geometry is TwoViewGeometry.GENERAL
    assert rotation_error_deg(pose.R_a_b, T[:3, :3]) < 0.5
    assert angle_deg(pose.direction, T[:3, 3]) < 6.0
    assert 0.7 * 600 < pose.inliers.sum() < 0.9 * 600


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.1, -0.2, 0.05)])
def test_rotation_only_has_no_direction(turn: tuple[float, ...]) -> None:
    T = se3.transform(se3.exp_rotation(turn), np.zeros(3))
    pose = solve(scene(T))
    assert pose is not None
    assert pose.geometry is TwoViewGeometry.ROTATION
    assert not pose.direction.any()
    assert pose.parallax_px < 1.0
    assert rotation_error_deg(pose.R_a_b, T[:3, :3]) < 0.05


def test_plane_is_recognised_and_solved() -> None:
    T = se3.transform(se3.exp_rotation([0.02, 0.1, 0.0]), [0.6, 0.1, 0.5])
    pose = solve(scene(T, plane=True))
    assert pose is not None
    assert pose.geometry is TwoViewGeometry.PLANAR
    assert pose.inliers.sum() > 0.7 * 600


def test_too_few_matches() -> None:
    T = se3.transform(np.eye(3), [0.5, 0.0, 0.5])
    points_a, points_b = scene(T)
    assert solve((points_a[:7], points_b[:7]), min_inliers=4) is None
    assert solve((points_a[:0], points_b[:0])) is None


@pytest.mark.parametrize("count", [100, 3000])
def test_noise_alone_is_no_motion(count: int) -> None:
    """Of many matches at random, more than min_inliers agree on some motion."""
    a, b = np.random.default_rng(0).uniform(-0.7, 0.7, (2, count, 2))
    assert solve((a, b), min_inliers=25) is None


def stacked(E: NDArray[np.float64], mask: NDArray[np.uint8]) -> tuple[Any, Any]:
    return np.vstack([E, E, E]), mask


@pytest.mark.parametrize(
    ("answer", "solved"),
    [
        (stacked, True),
        (lambda E, mask: (None, None), False),
        (lambda E, mask: (np.full((3, 3), np.nan), mask), False),
    ],
    ids=["three solutions", "none", "not a number"],
)
def test_what_opencv_may_answer(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[Any, Any], tuple[Any, Any]], solved: bool
) -> None:
    T = se3.transform(np.eye(3), [0.5, 0.0, 0.5])
    original = cv2.findEssentialMat
    monkeypatch.setattr(cv2, "findEssentialMat", lambda *args, **kwargs: answer(*original(*args, **kwargs)))
    pose = solve(scene(T))
    assert (pose is not None and angle_deg(pose.direction, T[:3, 3]) < 3.0) == solved


def test_opencv_may_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise cv2.error("no sample")

    monkeypatch.setattr(cv2, "findEssentialMat", fail)
    pose = solve(scene(se3.transform(se3.exp_rotation([0.0, 0.1, 0.0]), np.zeros(3))))
    assert pose is not None
    assert pose.geometry is TwoViewGeometry.ROTATION


def test_fit_rotation_ignores_outliers() -> None:
    R = se3.exp_rotation([0.1, 0.2, -0.1])
    points = scene(se3.transform(R, np.zeros(3)), outliers=0.4)
    assert rotation_error_deg(fit_rotation(*points, 1.0 / FOCAL), R) < 0.1


def test_triangulation_gives_the_depth_and_its_sigma() -> None:
    T = se3.transform(se3.exp_rotation([0.0, 0.05, 0.0]), [0.5, 0.1, 0.4])
    points_a, exact = scene(T, plane=True, noise_px=0.0, outliers=0.0)
    truth = (1.0 + 0.3 * points_a[:, 0]) / 5.0
    value, _ = triangulate(points_a, exact, T, 1e-3)
    np.testing.assert_allclose(value, truth, atol=1e-9)
    noisy, sigma = triangulate(points_a, exact + np.random.default_rng(0).normal(size=exact.shape) * 1e-3, T, 1e-3)
    assert np.std((noisy - truth) / sigma) == pytest.approx(1.0, abs=0.15)


def test_triangulation_without_a_baseline_is_unknown() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (5, 2))
    value, sigma = triangulate(points, points, np.eye(4), 1e-3)
    assert np.isnan(value).all()
    assert np.isnan(sigma).all()
