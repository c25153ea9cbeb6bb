"""No published step exceeds the limits of motion, whatever the state before: checked over every pair of estimates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matcher
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.scale.metric_odometry import MetricOdometry
from loftr_ros.odometry.states import LostReason, TrackingState
from loftr_ros.odometry.visual_odometry import VisualOdometry

Array = NDArray[np.float64]
AROUND = se3.transform(se3.exp_rotation([0.0, np.pi, 0.0]), [0.0, 0.0, 0.0])
SPEED = 10 * float(np.linalg.norm([0.03, 0.0, 0.12]))  # of `curve`, m/s


def run(
    matcher: Matcher[Any], frames: Iterable[Frame], config: OdometryConfig, odometry: Any = None
) -> list[OdometryEstimate]:
    odometry = odometry or VisualOdometry(matcher, config)
    return [odometry.process(frame) for frame in frames]


def assert_within_limits(estimates: list[OdometryEstimate], config: OdometryConfig) -> None:
    for before, now in pairwise(estimates):
        seconds = 1e-9 * (now.stamp_ns - before.stamp_ns)
        step = se3.log(se3.inverse(before.T_odom_camera) @ now.T_odom_camera) / seconds
        speed, turn = np.linalg.norm(step.reshape(2, 3), axis=1)
        assert speed <= config.max_speed * (1 + 1e-6), (before.state, now.state)
        assert turn <= config.max_angular_velocity * (1 + 1e-6), (before.state, now.state)


def assert_announced(estimates: list[OdometryEstimate]) -> int:
    """Check each pose measured after a loss against what was published before; returns the number of them.

    It lies within the 99.9 % gate of the pose before, carried on by its twist, with the covariances of both and of the
    pose itself. The errors of pose and twist may be fully correlated, so both variances count twice.
    """
    count = 0
    for before, now in pairwise(estimates):
        if before.state is not TrackingState.LOST or now.state is not TrackingState.TRACKING:
            continue
        count += 1
        seconds = 1e-9 * (now.stamp_ns - before.stamp_ns)
        T_before = before.T_odom_camera
        to_odom = se3.rotation_adjoint(T_before[:3, :3]) * seconds
        announced = 2 * (before.pose_covariance + to_odom @ before.twist_covariance @ to_odom.T)
        carried = se3.translation_adjoint(T_before[:3, :3] @ before.twist[:3] * seconds)
        covariance = carried @ announced @ carried.T + now.pose_covariance
        predictions = T_before, T_before @ se3.exp(seconds * before.twist)  # at rest, from `max_prediction` on
        innovations = [se3.difference(now.T_odom_camera, predicted) for predicted in predictions]
        assert min(i @ np.linalg.solve(covariance, i) for i in innovations) < 22.46
    return count


@pytest.mark.usefixtures("one_torch_thread")
def test_of_a_pair_whose_right_image_is_the_left(recorded: Callable[[str], Path]) -> None:
    """Every disparity is zero, so any length fits: none is made up, where it once was kilometers a frame."""
    from loftr_ros.loftr.runtime.budget import ComputeBudget
    from loftr_ros.loftr.runtime.matcher import load_matcher
    from loftr_ros.sequences.formats import open_sequence

    sequence = open_sequence(recorded("kitti/sequences/06"), "stereo")
    frames = [replace(frame, right=frame.image) for frame in (sequence[index] for index in range(18))]
    config = OdometryConfig(mode="stereo")
    estimates = run(load_matcher("compact", "cpu", ComputeBudget(120_000, 0)), frames, config)
    assert_within_limits(estimates, config)
    assert {estimate.state.value for estimate in estimates[1:]} == {"lost"}


@pytest.mark.parametrize("mode", ["stereo", "rgbd"])
def test_a_camera_that_stopped_in_the_dark_is_not_pulled_back(
    make_world: Callable[..., Any], curve: Callable[..., list[Array]], mode: Mode
) -> None:
    """The prediction goes on; to return within one frame would be too fast, so tracking restarts where it stands."""
    poses = curve(10)
    world = make_world(poses + 12 * [poses[-1]], blind=frozenset(range(10, 16)))
    config = OdometryConfig(mode=mode, subpixel_refinement=False, max_speed=1.5 * SPEED, lost_frames_to_restart=20)
    estimates = run(world, world.frames(), config)
    assert {estimate.lost_reason for estimate in estimates[16:]} == {LostReason.IMPOSSIBLE_MOTION}
    assert_within_limits(estimates, config)
    restarting = replace(config, lost_frames_to_restart=3)
    again = make_world(world.poses, blind=frozenset(range(10, 14)))
    estimates = run(again, again.frames(), restarting)
    assert estimates[-1].state.value == "stationary"
    assert_within_limits(estimates, restarting)


@pytest.mark.parametrize("mode", ["stereo", "rgbd"])
@pytest.mark.parametrize("seed", range(6))
def test_of_hostile_runs(
    make_world: Callable[..., Any], curve: Callable[..., list[Array]], mode: Mode, seed: int
) -> None:
    """A camera that is carried off, turned round and blinded at random."""
    rng = np.random.default_rng(seed)
    poses = curve(30)
    for index in np.flatnonzero(rng.random(30) < 0.2):
        poses[index] = poses[index] @ (AROUND if rng.random() < 0.5 else se3.exp(rng.normal(size=6)))
    world = make_world(poses, blind=frozenset(np.flatnonzero(rng.random(30) < 0.15).tolist()), rng=rng)
    config = OdometryConfig(mode=mode, subpixel_refinement=False, max_speed=2 * SPEED, max_angular_velocity=2.0)
    estimates = run(world, world.frames(), config)
    assert_within_limits(estimates, config)
    assert assert_announced(estimates) > 0


@pytest.mark.parametrize("jump", [0.02, 3.0])
def test_a_pose_measured_after_a_loss_was_announced(
    make_world: Callable[..., Any], curve: Callable[..., list[Array]], jump: float
) -> None:
    """A slow camera is carried off in the dark, within its maximum speed: the pose stays in the announced gate."""
    poses = curve(12, step=(0.0, 0.0, 0.02, 0.0, 0.0, 0.0))
    poses[7:] = [se3.transform(np.eye(3), [jump, 0.0, 0.0]) @ pose for pose in poses[7:]]
    world = make_world(poses, blind=frozenset({6}), depth_images=False)
    config = OdometryConfig(mode="stereo", subpixel_refinement=False, lost_frames_to_restart=20)
    estimates = run(world, world.frames(), config)
    assert assert_announced(estimates) == (jump < 1.0)


def test_the_limit_of_speed_holds_for_a_single_camera_whose_scale_is_known(
    make_world: Callable[..., Any], curve: Callable[..., list[Array]]
) -> None:
    """By its height over the ground; the camera is then carried forward 1.5 m within a tenth of a second."""
    looks_down = se3.transform(se3.exp_rotation([-0.1, 0.0, 0.0]), np.zeros(3))
    places = [0.8 * index + 1.5 * (index >= 20) for index in range(28)]
    poses = [se3.transform(np.eye(3), [-1.0, 0.0, place - 30.0]) @ looks_down for place in places]
    world = make_world(poses, size=(10.0, 3.2, 80.0), depth_images=False)
    config = OdometryConfig(
        scale_source="camera_height", camera_height=1.6, camera_pitch=0.1, subpixel_refinement=False, max_speed=12.0
    )
    estimates = run(world, world.frames(), config, MetricOdometry(world, config))
    assert estimates[19].scale_known
    assert estimates[20].lost_reason is LostReason.IMPOSSIBLE_MOTION
    assert_within_limits(estimates[15:], config)
