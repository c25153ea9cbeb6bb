"""Lenses that see more than the plane z = 1: matches beyond it neither break the motion nor add to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.pose.relative_pose import relative_pose
from loftr_ros.odometry.visual_odometry import VisualOdometry

MOTION = np.array([0.02, 0.0, 0.05, 0.0, 0.01, 0.0])


def lens(focal: float) -> Camera:
    """A fisheye lens whose angles are the radius by the focal length."""
    K = np.array([[focal, 0, 159.5], [0, focal, 119.5], [0, 0, 1]])
    return Camera(320, 240, K, "equidistant", np.zeros(4))


class AllAround:
    """The matches of a world; the pixels beyond 90 degrees show a sphere of 4 m around the camera of image a."""

    def __init__(self, world: Any) -> None:
        self.world, self.camera, self.extract = world, world.camera, world.extract

    def match(self, features_a: tuple[int, int], features_b: tuple[int, int]) -> Matches:
        world, ahead, cells = self.world, self.world.match(features_a, features_b), self.world._cells()
        offsets = (cells - self.camera.K[:2, 2]) / self.camera.K[0, 0]
        angles = np.linalg.norm(offsets, axis=1)
        sides = np.flatnonzero(angles > np.pi / 2)
        offsets, angles = offsets[sides], angles[sides]
        rays = np.column_stack([offsets / angles[:, None] * np.sin(angles)[:, None], np.cos(angles)])
        T_b_a = se3.inverse(world.pose(features_b)) @ world.pose(features_a)
        points_b = self._seen(4.0 * rays @ T_b_a[:3, :3].T + T_b_a[:3, 3])
        inside = ((points_b >= 0) & (points_b < (self.camera.width, self.camera.height))).all(axis=1)
        points_b, sides = points_b[inside], sides[inside]
        return Matches(
            np.concatenate([ahead.points_a, cells[sides].astype(np.float32)]),
            np.concatenate([ahead.points_b, points_b.astype(np.float32)]),
            np.concatenate([ahead.confidence, np.ones(len(sides), np.float32)]),
            np.concatenate([ahead.cell_a, sides]),
        )

    def _seen(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) pixels of (N, 3) points in any direction."""
        sideways = np.linalg.norm(points[:, :2], axis=1)
        radius = self.camera.K[0, 0] * np.arctan2(sideways, points[:, 2])
        return np.asarray(self.camera.K[:2, 2] + (radius / sideways)[:, None] * points[:, :2])


@pytest.mark.parametrize("mode", ["stereo", "rgbd"])
@pytest.mark.parametrize("focal", [100.0, 80.0, 65.0])  # 183, 229 and 282 degrees wide
def test_what_lies_beside_the_camera_does_not_mislead_it(
    make_world: Callable[..., Any], mode: str, focal: float
) -> None:
    poses = [se3.exp(index * MOTION) for index in range(12)]
    world = make_world(poses, camera=lens(focal), depth_images=mode == "rgbd")
    config = OdometryConfig(mode=mode, subpixel_refinement=False)  # type: ignore[arg-type]
    odometry: VisualOdometry[Any] = VisualOdometry(AllAround(world), config)
    for index, truth in enumerate(poses):
        estimate = odometry.process(world.frame(index))
        assert np.linalg.norm(estimate.T_odom_camera[:3, 3] - truth[:3, 3]) < 0.03
        if index:
            assert estimate.num_inliers > 0.7 * estimate.num_matches
    assert world.camera.has_ray(estimate.matches.points_a).all()


def test_a_pair_of_wide_images(make_world: Callable[..., Any]) -> None:
    poses = [np.eye(4), se3.exp(np.array([0.3, 0.0, 0.0, 0.0, 0.02, 0.0]))]
    world = make_world(poses, camera=lens(80.0), depth_images=False)
    matches = AllAround(world).match((0, 0), (1, 0))
    pose = relative_pose(matches, world.camera)
    assert pose is not None
    assert pose.inliers.shape == (len(matches),)
    assert not pose.inliers[~world.camera.has_ray(matches.points_a)].any()
    step = pose.T_a_b[:3, 3] / np.linalg.norm(pose.T_a_b[:3, 3])
    assert step @ (poses[1][:3, 3] / np.linalg.norm(poses[1][:3, 3])) > np.cos(np.radians(3))


@pytest.mark.parametrize(
    ("focal", "model", "distortion", "share"),
    [
        (460.0, "plumb_bob", [-0.283, 0.074, 0.0002, 0.00002, 0.0], 1.0),  # EuRoC
        (517.3, "plumb_bob", [0.2624, -0.9531, -0.0054, 0.0026, 1.1633], 1.0),  # freiburg1
        (607.0, "rational_polynomial", [0.62, -2.65, 0.0005, -0.0003, 1.5, 0.49, -2.47, 1.43], 1.0),  # Azure Kinect
        (200.0, "equidistant", [0.0035, 0.0007, -0.0021, 0.0002], 0.8),  # TUM-VI, larger
        (250.0, "plumb_bob", [-0.3, 0.08, 0.0, 0.0, -0.008], 0.79),  # turns back before the corners
        (460.0, "plumb_bob", [-1e300, 0.0, 0.0, 0.0, 0.0], 0.0),
        (460.0, "equidistant", [1e6, 0.0, 0.0, 0.0], 0.0),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_pixels_with_rays_survive(focal: float, model: str, distortion: list[float], share: float) -> None:
    K = np.array([[focal, 0, 320.0], [0, focal, 240.0], [0, 0, 1]])
    camera = Camera(640, 480, K, model, np.array(distortion))
    y, x = np.mgrid[0:480:7, 0:640:7].reshape(2, -1).astype(float)
    pixels = np.column_stack([x, y])
    has_ray = camera.has_ray(pixels)
    assert has_ray.mean() == pytest.approx(share, abs=0.02)
    rays = camera.normalize(pixels[has_ray])
    np.testing.assert_allclose(camera.project(np.column_stack([rays, np.ones(len(rays))])), pixels[has_ray], atol=1.0)
