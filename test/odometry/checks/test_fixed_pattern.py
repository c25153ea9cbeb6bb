"""Patterns fixed to the camera have matches without image motion, as if the camera were stationary."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault
from loftr_ros.odometry.checks.stationary_matches import StationaryMatches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.visual_odometry import VisualOdometry

MakeWorld = Callable[..., Any]
Curve = Callable[..., list[NDArray[np.float64]]]


class WithDots:
    """A matcher with a share of cells without image motion, as dots of a projector."""

    def __init__(self, world: Any, share: float) -> None:
        self.extract = world.extract
        self._world = world
        self._dots = np.random.default_rng(1).random(10_000) < share

    def match(self, features_a: tuple[int, int], features_b: tuple[int, int]) -> Matches:
        matches: Matches = self._world.match(features_a, features_b)
        if features_a[0] != features_b[0]:
            fixed = self._dots[matches.cell_a]
            matches.points_b[fixed] = matches.points_a[fixed]
        return matches


@pytest.mark.parametrize(("mode", "share"), [("stereo", 0.15), ("rgbd", 0.15), ("stereo", 0.0)])
def test_fixed_dots_are_no_outliers(make_world: MakeWorld, curve: Curve, mode: str, share: float) -> None:
    world = make_world(curve(10), depth_images=mode == "rgbd")
    config = OdometryConfig(mode=mode, subpixel_refinement=False)  # type: ignore[arg-type]
    odometry: VisualOdometry[Any] = VisualOdometry(WithDots(world, share), config)
    last = [odometry.process(frame) for frame in world.frames()][-1]
    assert [warning.fault for warning in last.input_warnings] == [InputFault.FIXED_PATTERN] * bool(share)
    for warning in last.input_warnings:
        assert 10 <= float(warning.text.split(" %")[0]) <= 20


class WithHood(WithDots):
    """The same in both images of a pair: without disparity."""

    def match(self, features_a: tuple[int, int], features_b: tuple[int, int]) -> Matches:
        matches: Matches = self._world.match(features_a, features_b)
        fixed = self._dots[matches.cell_a]
        matches.points_b[fixed] = matches.points_a[fixed] + self._world.rng.normal(0, 0.05, (fixed.sum(), 2))
        return matches


@pytest.mark.parametrize("share", [0.3, 0.0])
def test_a_hood_without_disparity_in_straight_driving(simulator: Any, make_world: MakeWorld, share: float) -> None:
    """Half of the scene is far away; as in any drive, it moves with the slightest rotation."""
    rng = np.random.default_rng(0)
    poses = [np.eye(4)]
    for _ in range(13):
        poses.append(poses[-1] @ se3.exp(np.append([0.0, 0.0, 1.0], rng.normal(0, 1e-3, 3))))
    world = make_world(poses, panels=simulator.highway(1.0), depth_images=False, noise_px=0.1)
    odometry: VisualOdometry[Any] = VisualOdometry(
        WithHood(world, share), OdometryConfig(mode="stereo", subpixel_refinement=False)
    )
    last = [odometry.process(frame) for frame in world.frames()][-1]
    assert [warning.fault for warning in last.input_warnings] == [InputFault.FIXED_PATTERN] * bool(share)
    length = np.linalg.norm(poses[-1][:3, 3])
    assert (np.sqrt(last.pose_covariance[2, 2]) > 0.02 * length) == bool(share)


def warned(images: list[NDArray[np.uint8]], matched_from_row: int = 0) -> bool:
    height, width = images[0].shape
    camera = Camera(width, height, np.array([[300.0, 0, width / 2], [0, 300, height / 2], [0, 0, 1]]))
    y, x = np.mgrid[matched_from_row:height:8, 0:width:8].astype(np.float32).reshape(2, -1)
    points = np.column_stack([x, y])
    matches = Matches(points, points, np.ones(len(x), np.float32), np.arange(len(x)))
    scene = StationaryMatches()
    for index, image in enumerate(images):
        scene.add_stationary(Frame(100_000_000 * index, image, camera), matches)
    return scene.warning is not None


def test_a_moving_scene_behind_fixed_dots(texture: NDArray[np.uint8]) -> None:
    dots = np.zeros_like(texture)
    for x, y in np.random.default_rng(2).integers((0, 0), (320, 200), (100, 2)):
        cv2.circle(dots, (int(x), int(y)), 2, 90, -1)
    assert warned([cv2.add(np.roll(texture, 6 * i, axis=1), dots) for i in range(14)])
    assert not warned([cv2.add(np.roll(texture, 6 * i, axis=1), dots) for i in range(10)])


def test_the_body_of_the_robot_in_the_lower_third(texture: NDArray[np.uint8]) -> None:
    images = [np.vstack([np.roll(texture, 8 * i, axis=1)[:130], texture[130:]]) for i in range(16)]
    assert warned(images, 130)


def test_noise_light_and_a_person_in_view_of_a_stationary_camera(texture: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(3)
    images = []
    for i in range(18):
        image = np.clip(texture * (0.5 + 0.05 * i) + rng.normal(0, 6, texture.shape), 0, 255).astype(np.uint8)
        image[:, 10 * i : 10 * i + 120] = texture[::-1, 100:220]
        images.append(image)
    assert not warned(images)


def test_a_recorded_stationary_camera(recorded: Any) -> None:
    paths = sorted((recorded("euroc/V1_01_static") / "mav0/cam0/data").glob("*.png"))
    assert not warned([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths])
