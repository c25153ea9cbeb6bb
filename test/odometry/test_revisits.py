"""Revisits: a camera that returns to what it saw has the drift of its first visit, and nothing else changes."""

from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.visual_odometry import VisualOdometry

CAMERA = Camera(160, 120, np.array([[125.0, 0, 79.5], [0, 125, 59.5], [0, 0, 1]]))
PERIOD_S = 0.1
Poses = list[NDArray[np.float64]]
MakeWorld = Callable[..., Any]


def look_around(rounds: int) -> Poses:
    """A camera that turns 50 degrees to the right and back, with its center 0.1 m before the axis."""
    angles = np.radians([*range(0, 50, 5), *range(50, 0, -5)])
    turns = np.tile(angles, rounds) + 0.01 * np.sin(np.arange(20 * rounds))
    return [
        se3.transform(se3.exp_rotation([0, a, 0]), [-1 + 0.1 * np.sin(a), 0.3 + 0.02 * np.sin(3 * a), 0.1 * np.cos(a)])
        for a in turns
    ]


def run(world: Any, mode: Mode = "stereo", **settings: Any) -> list[OdometryEstimate]:
    config = OdometryConfig(mode=mode, subpixel_refinement=False, disparity_bias_px=0.0, **settings)
    odometry: VisualOdometry[tuple[int, int]] = VisualOdometry(world, config)
    return [odometry.process(frame) for frame in world.frames()]


def errors(estimates: list[OdometryEstimate], poses: Poses) -> NDArray[np.float64]:
    """(N, 6) errors of the poses."""
    truth = [se3.inverse(poses[0]) @ T for T in poses]
    return np.array([se3.difference(e.T_odom_camera, T) for e, T in zip(estimates, truth, strict=True)])


def rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.sum(values**2, axis=1))))


@pytest.fixture
def make_small(simulator: ModuleType) -> MakeWorld:
    """A small world of some poses."""

    def make(poses: Poses, seed: int = 0, **settings: Any) -> Any:
        rng = np.random.default_rng(seed)
        return simulator.World(poses, camera=CAMERA, depth_images=False, rng=rng, **settings)

    return make


def test_who_looks_around_and_back_does_not_drift(make_small: MakeWorld) -> None:
    poses = look_around(3)
    with_map, without = (run(make_small(poses, outliers=0.0), revisit_keyframes=count) for count in (60, 0))
    last = slice(40, 60)
    assert rms(errors(with_map, poses)[last, :3]) < 0.5 * rms(errors(without, poses)[last, :3])
    assert rms(errors(with_map, poses)[last, 3:]) < 0.5 * rms(errors(without, poses)[last, 3:])
    assert sum(estimate.is_revisit for estimate in with_map) > 20
    assert not any(estimate.is_revisit for estimate in without)
    assert not any("revisit" in estimate.timings_ms for estimate in with_map if not estimate.is_keyframe)

    # Its covariance has shrunk with the errors, and is consistent: below the 99.9 % quantile of six degrees of freedom.
    for estimate, error in zip(with_map[5:], errors(with_map, poses)[5:], strict=True):
        assert error @ np.linalg.solve(estimate.pose_covariance, error) < 22.46
    assert np.trace(with_map[-1].pose_covariance) < 0.5 * np.trace(without[-1].pose_covariance)

    # The path is continuous: what a step differs from the twist is below one standard deviation of the pose.
    for before, after in pairwise(with_map[1:]):
        change = se3.difference(after.T_odom_camera, before.T_odom_camera @ se3.exp(after.twist * PERIOD_S))
        assert change @ np.linalg.solve(before.pose_covariance, change) < 1.0


def test_after_a_correction_a_kidnapped_camera_still_finds_an_earlier_keyframe(make_small: MakeWorld) -> None:
    poses = look_around(2)
    away = poses[-1] @ se3.transform(se3.exp_rotation([0.0, np.pi, 0.0]), np.zeros(3))
    world = make_small([*poses, *3 * [away], *poses[-1:-6:-1]], outliers=0.0)
    estimates = run(world)
    assert any(estimate.is_revisit for estimate in estimates[:40])
    assert [estimate.state.name for estimate in estimates[40:43]] == 3 * ["LOST"]
    assert estimates[-1].state.name == "TRACKING"
    assert np.linalg.norm(errors(estimates, world.poses)[-1][:3]) < 0.05


def test_driving_on_is_bit_identical_without_the_map_and_matches_nothing_else(make_small: MakeWorld) -> None:
    poses = [se3.transform(np.eye(3), [-1 + 0.02 * np.sin(k), 0.3, -4.5 + 0.12 * k]) for k in range(30)]
    pairs: list[set[tuple[int, int]]] = []
    paths = []
    for count in (60, 0):
        world = make_small(poses)
        matched: set[tuple[int, int]] = set()
        match = world.match
        world.match = lambda a, b, match=match, matched=matched: matched.add((a[0], b[0])) or match(a, b)
        paths.append(np.array([estimate.T_odom_camera for estimate in run(world, revisit_keyframes=count)]))
        pairs.append(matched)
    np.testing.assert_array_equal(*paths)
    assert pairs[0] == pairs[1]


def test_a_false_revisit_is_rejected_and_changes_nothing(make_small: MakeWorld) -> None:
    """Old keyframes match as if the camera were 0.7 m beside its position, all matches consistently."""
    poses = look_around(2)
    tried: set[tuple[int, int]] = set()
    paths = []
    for count in (60, 0):
        world = make_small(poses)
        world.match = displaced(world, 0.7, tried)
        paths.append(run(world, revisit_keyframes=count))
    assert len(tried) > 8
    assert not any(estimate.is_revisit for estimate in paths[0])
    for estimate, other in zip(*paths, strict=True):
        np.testing.assert_array_equal(estimate.T_odom_camera, other.T_odom_camera)


def displaced(world: Any, shift: float, tried: set[tuple[int, int]]) -> Callable[..., Matches]:
    """The matcher of a world; images more than three frames apart match as if the second were `shift` m beside.

    These pairs are added to `tried`. The other pairs have the noise of their own, whatever was matched before.
    """
    match, poses = world.match, list(world.poses)
    beside = [T @ se3.transform(np.eye(3), [shift, 0.0, 0.0]) for T in poses]

    def matched(a: tuple[int, int], b: tuple[int, int]) -> Matches:
        world.rng = np.random.default_rng([*a, *b])
        if abs(a[0] - b[0]) <= 3:
            return match(a, b)
        tried.add((a[0], b[0]))
        world.poses = [*poses[: b[0]], beside[b[0]], *poses[b[0] + 1 :]]
        found = match(a, b)
        world.poses = poses
        return found

    return matched
