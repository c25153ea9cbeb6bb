"""Lengths are metric only where depth was measured: without any, the odometry says so and makes none up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import Degeneracy, LostReason, TrackingState
from loftr_ros.odometry.visual_odometry import VisualOdometry

MakeWorld = Callable[..., Any]
Curve = Callable[..., list[NDArray[np.float64]]]
METRIC: tuple[Mode, ...] = ("stereo", "rgbd")
REASON = {"stereo": LostReason.NO_STEREO, "rgbd": LostReason.NO_DEPTH}
BLIND = 255  # the number of a right image that matches nothing


class Blinkered:
    """The simulated matcher, to which a right image numbered `BLIND` shows nothing."""

    def __init__(self, world: Any, spurious: int = 0, row_px: float = 0.0) -> None:
        """Of such an image it finds `spurious` matches all the same; those of all right images are `row_px` too low."""
        self.world, self.spurious, self.row_px = world, spurious, row_px

    def extract(self, image: NDArray[np.uint8]) -> tuple[int, int]:
        return self.world.extract(image)  # type: ignore[no-any-return]

    def match(self, features_a: tuple[int, int], features_b: tuple[int, int]) -> Matches:
        if features_b[0] != BLIND:
            matches: Matches = self.world.match(features_a, features_b)
            return replace(matches, points_b=matches.points_b + np.float32([0, features_b[1] * self.row_px]))
        size = (self.world.camera.width, self.world.camera.height)
        cells = np.arange(self.spurious)
        points = self.world._cells()[cells].astype(np.float32)
        anywhere = self.world.rng.uniform((0, 0), size, points.shape).astype(np.float32)
        return Matches(points, anywhere, np.ones(len(cells), np.float32), cells)


def without_depth(frame: Frame) -> Frame:
    """The frame with an empty depth image, and a right image that shows nothing."""
    assert frame.depth is not None
    assert frame.right is not None
    right = frame.right.copy()
    right[0, :2] = (BLIND, 1)
    return replace(frame, depth=np.zeros_like(frame.depth), right=right)


def run(world: Any, mode: Mode, frames: list[Frame], spurious: int = 0, row_px: float = 0.0) -> list[OdometryEstimate]:
    config = OdometryConfig(mode=mode, subpixel_refinement=False)
    odometry = VisualOdometry(Blinkered(world, spurious, row_px), config)
    return [odometry.process(frame) for frame in frames]


def lengths(estimates: list[OdometryEstimate]) -> NDArray[np.float64]:
    """(N,) distances from the origin."""
    return np.linalg.norm([estimate.T_odom_camera[:3, 3] for estimate in estimates], axis=1)


def deviations(world: Any, estimates: list[OdometryEstimate]) -> NDArray[np.float64]:
    """(N,) errors of the positions, as multiples of their standard deviation in that direction."""
    found = []
    for estimate, pose in zip(estimates, world.poses, strict=True):
        error = estimate.T_odom_camera[:3, 3] - (se3.inverse(world.poses[0]) @ pose)[:3, 3]
        found.append(np.sqrt(error @ np.linalg.solve(estimate.pose_covariance[:3, :3], error)))
    return np.array(found)


@pytest.mark.parametrize("mode", METRIC)
@pytest.mark.parametrize("spurious", [0, 150, 1000])
def test_without_depth_nothing_is_metric(make_world: MakeWorld, curve: Curve, mode: Mode, spurious: int) -> None:
    world = make_world(curve(14))
    estimates = run(world, mode, [without_depth(frame) for frame in world.frames()], spurious)
    assert {estimate.state for estimate in estimates[1:]} == {TrackingState.LOST}
    assert {estimate.lost_reason for estimate in estimates[1:]} == {REASON[mode]}
    assert not any(estimate.scale_known for estimate in estimates)
    assert lengths(estimates).max() == 0.0
    assert (deviations(world, estimates)[1:] < 3).all()


def test_right_images_that_are_ten_pixels_low_give_no_depth(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(8))
    estimates = run(world, "stereo", list(world.frames()), row_px=10.0)
    assert {estimate.lost_reason for estimate in estimates[1:]} == {LostReason.NO_STEREO}
    assert not any(estimate.scale_known for estimate in estimates)
    assert lengths(estimates).max() == 0.0


def test_a_pair_without_disparity_gives_no_depth(make_world: MakeWorld, curve: Curve) -> None:
    """The right image is the left one; a plausible length would be as good as any other."""
    world = make_world(curve(8))
    frames = [replace(frame, right=frame.image) for frame in world.frames()]
    estimates = run(world, "stereo", frames)
    assert {estimate.lost_reason for estimate in estimates[1:]} == {LostReason.NO_DEPTH}
    assert not any(estimate.scale_known for estimate in estimates)


@pytest.mark.parametrize("mode", METRIC)
def test_depth_that_comes_later_starts_the_metric_track(make_world: MakeWorld, curve: Curve, mode: Mode) -> None:
    """Where the camera was until then is not known; the covariance says so, even of a fast one."""
    poses = curve(20, (0.1, 0.0, 0.4, 0.0, 0.0, 0.0))
    world = make_world(poses, size=(12.0, 8.0, 40.0))
    frames = [without_depth(frame) if index < 6 else frame for index, frame in enumerate(world.frames())]
    estimates = run(world, mode, frames)
    known = [estimate.scale_known for estimate in estimates]
    assert known == sorted(known)
    assert not known[5]
    assert {estimate.state for estimate in estimates[9:]} == {TrackingState.TRACKING}
    moved = np.linalg.norm(estimates[-1].T_odom_camera[:3, 3] - estimates[9].T_odom_camera[:3, 3])
    assert moved == pytest.approx(10 * np.linalg.norm([0.1, 0.0, 0.4]), rel=0.02)
    assert (deviations(world, estimates)[1:] < 3).all()


@pytest.mark.parametrize("mode", METRIC)
def test_a_loss_of_depth_in_the_middle_keeps_the_scale(make_world: MakeWorld, curve: Curve, mode: Mode) -> None:
    """The depths propagate from keyframe to keyframe, less certain with every one."""
    world = make_world(curve(25))
    whole = run(world, mode, list(world.frames()))
    world = make_world(curve(25))
    frames = [without_depth(frame) if index >= 8 else frame for index, frame in enumerate(world.frames())]
    estimates = run(world, mode, frames)
    assert {estimate.state for estimate in estimates[1:]} == {TrackingState.TRACKING}
    assert sum(estimate.is_keyframe for estimate in estimates[8:]) >= 3
    assert lengths(estimates)[-1] == pytest.approx(lengths(whole)[-1], rel=0.02)
    assert np.trace(estimates[-1].twist_covariance[:3, :3]) > np.trace(whole[-1].twist_covariance[:3, :3])
    assert (deviations(world, estimates)[1:] < 4).all()
    propagated = [Degeneracy.PROPAGATED_DEPTH in estimate.degeneracies for estimate in estimates]
    assert propagated == sorted(propagated)
    assert (propagated[8], propagated[11]) == (False, True)


@pytest.mark.parametrize("mode", METRIC)
def test_the_last_speed_stands_in_for_depth_for_a_moment_only(make_world: MakeWorld, mode: Mode) -> None:
    """A turning camera soon sees nothing whose depth was ever known."""
    step = se3.exp(np.array([0.1, 0.0, 0.05, 0.0, 0.12, 0.0]))
    poses = [se3.transform(np.eye(3), [-1.0, 0.3, 0.0])]
    for _ in range(29):
        poses.append(poses[-1] @ step)
    world = make_world(poses)
    frames = [without_depth(frame) if index >= 5 else frame for index, frame in enumerate(world.frames())]
    estimates = run(world, mode, frames)
    assert estimates[-1].lost_reason is REASON[mode]
    first = next(i for i, estimate in enumerate(estimates) if estimate.lost_reason is REASON[mode])
    assert np.ptp(lengths(estimates)[first + 6 :]) < 0.02
    assert all(estimate.scale_known for estimate in estimates[5:])


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize("right", ["black", "upside down", "another place"])
def test_recorded_pairs_that_do_not_match(recorded: Callable[[str], Path], right: str) -> None:
    from loftr_ros.loftr.runtime.matcher import load_matcher
    from loftr_ros.sequences.formats import open_sequence

    sequence = open_sequence(recorded("kitti/sequences/06"), "stereo")
    frames = []
    for index in range(3):
        frame, far = sequence[index], sequence[index + 38].right
        assert frame.right is not None
        others = {"black": np.zeros_like(frame.right), "upside down": frame.right[::-1].copy(), "another place": far}
        frames.append(replace(frame, right=others[right]))
    odometry: VisualOdometry[Any] = VisualOdometry(load_matcher("compact", "cpu"), OdometryConfig(mode="stereo"))
    estimates = [odometry.process(frame) for frame in frames]
    assert [estimate.lost_reason for estimate in estimates[1:]] == 2 * [LostReason.NO_STEREO]
    assert not any(estimate.scale_known for estimate in estimates)
    assert lengths(estimates).max() == 0.0
