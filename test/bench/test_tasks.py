from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera

Bench = Callable[[str], ModuleType]

CAMERA_A = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))
CAMERA_B = Camera(800, 600, np.array([[700.0, 0, 390], [0, 690, 310], [0, 0, 1]]))
BACKWARDS = se3.transform(se3.exp_rotation([0.05, -0.1, 0.02]), [0.2, 0.1, -0.6])


def matches_of(T_a_b: NDArray[np.float64], wrong: int = 0) -> Matches:
    rng = np.random.default_rng(2)
    points = rng.uniform((-3, -2, 4), (3, 2, 12), (300, 3))
    a, b = CAMERA_A.project(points), CAMERA_B.project((points - T_a_b[:3, 3]) @ T_a_b[:3, :3])
    b += rng.normal(scale=0.2, size=b.shape)
    b[:wrong] = rng.uniform((0, 0), (800, 600), (wrong, 2))
    return Matches(a.astype(np.float32), b.astype(np.float32), np.ones(300, np.float32), np.arange(300))


@pytest.mark.parametrize("opencv", [False, True])
@pytest.mark.parametrize("T_a_b", [BACKWARDS, se3.inverse(BACKWARDS)], ids=["backwards", "forwards"])
def test_pose_between_two_cameras_with_its_sign(bench: Bench, T_a_b: NDArray[np.float64], opencv: bool) -> None:
    task = bench("tasks").PoseTask(CAMERA_A, CAMERA_B, T_a_b, opencv_threshold_px=1.0)
    answer = task.solve(matches_of(T_a_b, wrong=60), opencv)
    errors = task.errors(answer)
    assert errors["rotation"] < 0.2
    assert errors["direction"] < 1.5
    assert 200 < answer.inliers < 260


@pytest.mark.parametrize("opencv", [False, True])
def test_pose_from_too_few_matches_fails(bench: Bench, opencv: bool) -> None:
    task = bench("tasks").PoseTask(CAMERA_A, CAMERA_B, BACKWARDS, opencv_threshold_px=1.0)
    answer = task.solve(matches_of(BACKWARDS).select(np.arange(5)), opencv)
    assert answer is None
    assert task.errors(answer) == {"rotation": np.inf, "direction": np.inf}


def test_camera_that_did_not_move_has_no_direction(bench: Bench) -> None:
    tasks = bench("tasks")
    turned = se3.transform(BACKWARDS[:3, :3], [0.0, 0.0, 0.0009])
    task = tasks.PoseTask(CAMERA_A, CAMERA_B, turned, opencv_threshold_px=1.0)
    errors = task.errors(tasks.Answer(BACKWARDS, 10))
    assert errors["rotation"] == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(errors["direction"])


def test_homography(bench: Bench) -> None:
    H = np.array([[1.1, 0.05, 10], [-0.03, 0.95, 20], [1e-4, 0, 1]])
    rng = np.random.default_rng(0)
    a = rng.uniform((0, 0), (640, 480), (100, 2)).astype(np.float32)
    b = np.column_stack([a, np.ones(100)]) @ H.T
    b = (b[:, :2] / b[:, 2:]).astype(np.float32)
    b[:30] = rng.uniform((0, 0), (640, 480), (30, 2))
    matches = Matches(a, b, np.ones(100, np.float32), np.arange(100))
    task = bench("tasks").HomographyTask(H, 640, 480)
    answer = task.solve(matches, opencv=False)
    assert task.errors(answer)["corners"] < 0.1
    assert 70 <= answer.inliers < 75
    assert task.errors(task.solve(matches.select(np.arange(4)), opencv=False)) == {"corners": np.inf}
