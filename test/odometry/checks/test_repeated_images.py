"""Repeated images: a fault of the driver in motion, a stationary camera if rendered."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import LostReason
from loftr_ros.odometry.visual_odometry import VisualOdometry

MakeWorld = Callable[..., Any]
Curve = Callable[..., list[NDArray[np.float64]]]
PERIOD_NS = 50_000_000


def run(world: Any, mode: str, frames: Iterable[Frame]) -> list[OdometryEstimate]:
    odometry: VisualOdometry[Any] = VisualOdometry(world, OdometryConfig(mode=mode, subpixel_refinement=False))  # type: ignore
    return [odometry.process(replace(frame, stamp_ns=PERIOD_NS * i)) for i, frame in enumerate(frames)]


def faults(estimate: OdometryEstimate) -> set[InputFault]:
    return {warning.fault for warning in estimate.input_warnings}


def states(estimates: list[OdometryEstimate]) -> list[str]:
    return [estimate.state.name for estimate in estimates]


def position_error(estimate: OdometryEstimate, world: Any, index: int) -> float:
    truth = (se3.inverse(world.poses[0]) @ world.poses[index])[:3, 3]
    return float(np.linalg.norm(estimate.T_odom_camera[:3, 3] - truth))


@pytest.mark.parametrize("mode", ["mono", "stereo", "rgbd"])
def test_the_velocity_is_correct_if_every_image_is_repeated(make_world: MakeWorld, curve: Curve, mode: str) -> None:
    world = make_world(curve(10), depth_images=mode == "rgbd")
    estimates = run(world, mode, [world.frame(i // 2) for i in range(20)])
    assert states(estimates[:2]) == ["INITIALIZING", "STATIONARY"]
    assert states(estimates[2:]) == 9 * ["TRACKING", "LOST"]
    assert {estimate.lost_reason for estimate in estimates[3::2]} == {LostReason.REPEATED}
    speeds = [np.linalg.norm(estimate.twist[:3]) for estimate in estimates[4:]]
    assert np.ptp(speeds) < 0.1 * np.mean(speeds)
    assert faults(estimates[-1]) == {InputFault.REPEATED_IMAGE}
    assert "9 of the last 19 images are bit-identical" in estimates[-1].input_warnings[0].text


@pytest.mark.parametrize("mode", ["stereo", "rgbd"])
def test_a_frozen_driver_is_bridged_by_the_prediction(make_world: MakeWorld, curve: Curve, mode: str) -> None:
    world = make_world(curve(16), depth_images=mode == "rgbd")
    estimates = run(world, mode, [world.frame(4 if 4 < i < 10 else i) for i in range(16)])
    assert states(estimates[1:]) == 4 * ["TRACKING"] + 5 * ["LOST"] + 6 * ["TRACKING"]
    spread = [np.trace(estimate.pose_covariance) for estimate in estimates[4:10]]
    assert (np.diff(spread) > 0).all()
    assert position_error(estimates[9], world, 9) < 0.05 * position_error(estimates[0], world, 9)
    assert not any(estimate.is_keyframe for estimate in estimates[5:10])
    assert position_error(estimates[15], world, 15) < 0.02 * position_error(estimates[0], world, 15)


def test_the_prediction_of_a_long_frozen_driver_is_bounded(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(5), depth_images=False)
    estimates = run(world, "stereo", [world.frame(min(i, 4)) for i in range(60)])
    assert states(estimates[5:]) == 55 * ["LOST"]
    went_on = np.linalg.norm(estimates[-1].T_odom_camera[:3, 3] - estimates[4].T_odom_camera[:3, 3])
    per_frame = np.linalg.norm(world.poses[4][:3, 3] - world.poses[3][:3, 3])
    assert went_on == pytest.approx(10 * per_frame, rel=0.05)  # 0.5 s
    assert (estimates[-1].twist == 0).all()


def test_a_noise_free_camera_may_be_stationary(make_world: MakeWorld, curve: Curve) -> None:
    """At the start, and later within a frame, as it has been recognized as noise-free."""
    world = make_world(curve(6), depth_images=False)
    estimates = run(world, "stereo", [world.frame(i) for i in 12 * [0] + [1, 2, 3, 4] + 8 * [4] + [5]])
    assert states(estimates) == ["INITIALIZING"] + 11 * ["STATIONARY"] + 4 * ["TRACKING"] + 8 * ["STATIONARY"] + [
        "TRACKING"
    ]
    assert not any(estimate.input_warnings for estimate in estimates)


def test_a_stationary_camera_with_noise_is_not_noise_free(make_world: MakeWorld, curve: Curve) -> None:
    """Its driver repeats every image: twelve equal ones at rest, and as many new ones."""
    world = make_world(12 * curve(1) + curve(6), depth_images=False)
    estimates = run(world, "stereo", [world.frame(i // 2) for i in range(36)])
    assert states(estimates[1:24]) == 23 * ["STATIONARY"]
    assert not any(estimate.input_warnings for estimate in estimates[:24])
    assert states(estimates[26:]) == 5 * ["TRACKING", "LOST"]


def test_repeated_right_images_give_no_depth(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(12), depth_images=False)
    frames = [replace(world.frame(i), right=world.frame(min(i, 3)).right) for i in range(12)]
    estimates = run(world, "stereo", frames)
    assert states(estimates[1:]) == 11 * ["TRACKING"]
    assert [faults(estimate) for estimate in estimates] == 5 * [set()] + 7 * [{InputFault.REPEATED_RIGHT_IMAGE}]
    assert position_error(estimates[-1], world, 11) < 0.03 * position_error(estimates[0], world, 11)


def test_repeated_depth_images(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(10))
    estimates = run(world, "rgbd", [replace(world.frame(i), depth=world.frame(i // 2).depth) for i in range(10)])
    assert faults(estimates[-1]) == {InputFault.REPEATED_DEPTH_IMAGE}
    alike = run(world, "rgbd", [world.frame(i) for i in range(10)])
    assert not any(estimate.input_warnings for estimate in alike)


def test_constant_depth_along_a_wall_is_no_fault(make_world: MakeWorld, simulator: Any) -> None:
    poses = [se3.transform(np.eye(3), [0.1 * i, 0.0, 0.0]) for i in range(8)]
    world = make_world(poses, panels=simulator.wall(3.0))
    frames = [world.frame(i) for i in range(8)]
    assert np.array_equal(frames[1].depth, frames[2].depth)
    assert not any(estimate.input_warnings for estimate in run(world, "rgbd", frames))
