from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.pose.direction import refine_direction
from loftr_ros.odometry.pose.relative_pose import relative_pose
from loftr_ros.odometry.pose.two_view import TwoViewGeometry, TwoViewPose

START = se3.transform(np.eye(3), [-1.0, 0.3, -4.0])
STEP = se3.transform(se3.exp_rotation([0.02, 0.1, -0.03]), [0.4, -0.1, 0.5])
MakeWorld = Callable[..., Any]


def matches_of(world: Any) -> Matches:
    first, second = (world.extract(frame.image) for frame in world.frames())
    found: Matches = world.match(first, second)
    return found


def angle_deg(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))))


def rotation_error_deg(R: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    return float(np.degrees(np.linalg.norm(se3.log_rotation(R.T @ truth))))


@pytest.mark.parametrize("step", [STEP, se3.inverse(STEP)], ids=["forwards", "backwards"])
def test_motion_is_found_with_its_sign(make_world: MakeWorld, step: NDArray[np.float64]) -> None:
    world = make_world([START, START @ step], outliers=0.2)
    matches = matches_of(world)
    pose = relative_pose(matches, world.camera)
    assert pose is not None
    assert pose.geometry is TwoViewGeometry.GENERAL
    assert rotation_error_deg(pose.T_a_b[:3, :3], step[:3, :3]) < 0.1
    assert angle_deg(pose.T_a_b[:3, 3], step[:3, 3]) < 1.5
    assert np.linalg.norm(pose.T_a_b[:3, 3]) == pytest.approx(1.0)
    assert 0.7 * len(matches) < pose.inliers.sum() < 0.9 * len(matches)
    assert 0.1 < pose.noise_px < 0.3


def test_refinement_makes_it_better_than_its_start(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[NDArray[np.float64]] = []

    def spy(two_view: TwoViewPose, *rest: Any) -> Any:
        starts.append(se3.transform(two_view.R_a_b, two_view.direction))
        return refine_direction(two_view, *rest)

    monkeypatch.setattr("loftr_ros.odometry.pose.hypotheses.refine_direction", spy)
    refined = []
    for seed in range(5):
        world = make_world([START, START @ STEP], noise_px=0.4, rng=np.random.default_rng(seed))
        pose = relative_pose(matches_of(world), world.camera)
        assert pose is not None
        refined.append(pose.T_a_b)
    before, after = (np.mean([angle_deg(T[:3, 3], STEP[:3, 3]) for T in poses]) for poses in (starts, refined))
    assert after < before


def test_rotation_has_no_direction(make_world: MakeWorld) -> None:
    turn = se3.transform(se3.exp_rotation([0.0, 0.12, 0.02]), np.zeros(3))
    world = make_world([START, START @ turn])
    pose = relative_pose(matches_of(world), world.camera)
    assert pose is not None
    assert pose.geometry is TwoViewGeometry.ROTATION
    assert rotation_error_deg(pose.T_a_b[:3, :3], turn[:3, :3]) < 0.1
    np.testing.assert_array_equal(pose.T_a_b[:3, 3], 0)


def test_second_camera_may_be_another_one(make_world: MakeWorld) -> None:
    world = make_world([START, START @ STEP])
    camera_b = Camera(640, 480, np.array([[480.0, 0, 300], [0, 520, 250], [0, 0, 1]]))
    matches = matches_of(world)
    points = np.column_stack([world.camera.normalize(matches.points_b), np.ones(len(matches))])
    elsewhere = replace(matches, points_b=camera_b.project(points).astype(np.float32))
    pose = relative_pose(elsewhere, world.camera, camera_b)
    assert pose is not None
    assert rotation_error_deg(pose.T_a_b[:3, :3], STEP[:3, :3]) < 0.1
    assert angle_deg(pose.T_a_b[:3, 3], STEP[:3, 3]) < 1.0


def test_too_few_or_contradicting_matches_give_no_pose(make_world: MakeWorld) -> None:
    world = make_world([START, START @ STEP])
    matches = matches_of(world)
    assert relative_pose(matches.select(np.arange(20)), world.camera) is None
    assert relative_pose(matches.select(np.arange(0)), world.camera) is None
    noise = make_world([START, START @ STEP], outliers=1.0)
    config = OdometryConfig(min_inliers=100)
    assert relative_pose(matches_of(noise), noise.camera, config=config) is None
