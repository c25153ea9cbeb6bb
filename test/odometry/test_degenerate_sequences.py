"""Scenes that mislead an odometry, simulated, with exact truth."""

from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import homogeneous
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.mapping.inverse_depth import depths_from_stereo
from loftr_ros.odometry.states import Degeneracy, TrackingState
from loftr_ros.odometry.visual_odometry import VisualOdometry

CAR = Camera(640, 192, np.array([[360.0, 0, 319.5], [0, 360, 95.5], [0, 0, 1]]))
SEEDS = range(6)


def path(count: int, step: tuple[float, ...], start: tuple[float, ...] = (0.0, 0.0, 0.0)) -> list[NDArray[np.float64]]:
    poses = [se3.transform(np.eye(3), start)]
    for _ in range(count - 1):
        poses.append(poses[-1] @ se3.exp(np.array(step)))
    return poses


def run(world: Any, mode: str) -> list[OdometryEstimate]:
    odometry: VisualOdometry[Any] = VisualOdometry(world, OdometryConfig(mode=mode, subpixel_refinement=False))  # type: ignore
    estimates = [odometry.process(frame) for frame in world.frames()]
    assert [estimate.state for estimate in estimates[1:]] == [TrackingState.TRACKING] * (len(estimates) - 1)
    return estimates


def length_error(T: NDArray[np.float64], world: Any) -> float:
    """Of the translation from the first frame to the last, as a share of it."""
    truth = se3.inverse(world.poses[0]) @ world.poses[-1]
    return float(np.linalg.norm(T[:3, 3] - truth[:3, 3]) / np.linalg.norm(truth[:3, 3]))


def highway(simulator: ModuleType, near_texture: float, seed: int, frames: int = 2) -> Any:
    """A car at 43 km/h at 10 Hz, with a stereo rig of 0.54 m."""
    rng = np.random.default_rng(seed)
    rig = StereoRig.rectified(CAR, 0.54)
    poses = path(frames, (0.0, 0.0, 1.2, 0.0, 0.002, 0.0))
    panels = simulator.highway(near_texture)
    return simulator.World(poses, panels=panels, camera=CAR, rig=rig, rng=rng, depth_images=False)


def perspective(world: Any) -> NDArray[np.float64]:
    """What OpenCV's PnP makes of the triangulated points, each as good as any other."""
    camera, matches = world.camera, world.match((0, 0), (1, 0))
    depths = depths_from_stereo(world.match((0, 0), (0, 1)), camera, world.rig, 1.0)
    rho, _ = depths.at(matches.cell_a)
    known = rho > 0
    points = homogeneous(camera.normalize(matches.points_a[known])) / rho[known, None]
    seen = matches.points_b[known].astype(np.float64)
    _, turn, position, inliers = cv2.solvePnPRansac(points, seen, camera.K, None, reprojectionError=1.0)
    turn, position = cv2.solvePnPRefineLM(points[inliers[:, 0]], seen[inliers[:, 0]], camera.K, None, turn, position)
    return se3.inverse(se3.transform(se3.exp_rotation(turn.ravel()), position.ravel()))


def test_far_points_count_by_their_uncertainty(simulator: ModuleType) -> None:
    """A smooth road and far hills: unweighted PnP errs by several per cent, which is where plain stereo goes wrong."""
    ours, plain = [], []
    for seed in SEEDS:
        world = highway(simulator, 0.03, seed)
        ours.append(length_error(run(world, "stereo")[-1].T_odom_camera, world))
        plain.append(length_error(perspective(world), world))
    assert np.median(ours) < 0.01
    assert np.median(ours) < 0.5 * np.median(plain)


def test_few_near_points_leave_the_position_less_certain(simulator: ModuleType) -> None:
    near, far = (run(highway(simulator, texture, 0, frames=5), "stereo")[-1] for texture in (0.5, 0.01))
    assert (near.degeneracies, far.degeneracies) == ((), (Degeneracy.FEW_NEAR_POINTS,))
    assert np.trace(far.pose_covariance[:3, :3]) > 1.5 * np.trace(near.pose_covariance[:3, :3])


def assert_follows_the_room(world: Any, mode: str) -> None:
    """The motion is that of the room, and its covariance covers the ambiguity."""
    last = run(world, mode)[-1]
    assert length_error(last.T_odom_camera, world) < 0.03
    assert np.isfinite(last.pose_covariance).all()


@pytest.mark.parametrize("mode", ["stereo", "rgbd"])
def test_a_moving_object_before_much_of_the_view(simulator: ModuleType, mode: str) -> None:
    """A board across the middle moves sideways."""
    board = simulator.Panel((-1.0, 0, 0.5), (0.8, 0, 0), (0, 1.1, 0), motion=np.array([0.05, 0, 0, 0, 0, 0]))
    poses = path(8, (0.03, 0.0, 0.1, 0.0, 0.01, 0.0), (-1.0, 0.3, -4.0))
    assert_follows_the_room(simulator.World(poses, panels=[*simulator.room((8, 5, 12)), board]), mode)


@pytest.mark.parametrize("mode", ["stereo", "rgbd"])
def test_repeated_texture_on_a_third_of_the_view(simulator: ModuleType, mode: str) -> None:
    poses = path(8, (0.03, 0.0, 0.1, 0.0, 0.01, 0.0), (-1.0, 0.3, -4.0))
    assert_follows_the_room(simulator.World(poses, repeated=0.35), mode)


@pytest.mark.parametrize(("mode", "half_size"), [("stereo", (1.3, 1.6)), ("rgbd", (1.3, 1.6)), ("stereo", (1.6, 1.6))])
def test_an_object_before_most_of_the_view_widens_the_covariance(
    simulator: ModuleType, mode: str, half_size: tuple[float, float]
) -> None:
    """The images alone do not tell that it is not the world that moves; the covariance allows for both.

    The larger one has nine tenths of the true matches.
    """
    right, down = (half_size[0], 0, 0), (0, half_size[1], 0)
    board = simulator.Panel((-1.0, 0, -1.0), right, down, motion=np.array([0.05, 0, 0.1, 0, 0, 0]))
    poses = path(4, (0.03, 0.0, 0.1, 0.0, 0.01, 0.0), (-1.0, 0.3, -4.0))
    world = simulator.World(poses, panels=[*simulator.room((8, 5, 12)), board])
    for index, estimate in enumerate(run(world, mode)[1:], 1):
        error = estimate.T_odom_camera[:3, 3] - (se3.inverse(poses[0]) @ poses[index])[:3, 3]
        assert np.linalg.norm(error) > 0.05
        assert error @ np.linalg.inv(estimate.pose_covariance[:3, :3]) @ error < 4  # two standard deviations
        assert Degeneracy.COMPETING_MOTION in estimate.degeneracies


@pytest.mark.parametrize("half_width", [0.9, 1.6])
def test_an_object_that_starts_to_move_is_not_silently_the_world(simulator: ModuleType, half_width: float) -> None:
    """A stationary camera: an object in half of the view is distinguished from the scene; one in all of it is not."""

    class Starting(simulator.Panel):  # type: ignore[misc, name-defined]
        def pose(self, index: int) -> NDArray[np.float64]:
            return super().pose(max(index - 3, 0))  # type: ignore[no-any-return]

    motion = np.array([0.35, 0.02, 0, 0, 0, 0])
    board = Starting((-2.3, 0, -1.0), (half_width, 0, 0), (0, 1.6, 0), motion=motion)
    poses = path(9, (0.0, 0.0, 0.0, 0.0, 0.0, 0.0), (-1.0, 0.3, -4.0))
    world = simulator.World(poses, panels=[*simulator.room((8, 5, 12)), board], depth_images=False)
    odometry: VisualOdometry[Any] = VisualOdometry(world, OdometryConfig(mode="stereo", subpixel_refinement=False))
    for estimate in [odometry.process(frame) for frame in world.frames()]:
        error = estimate.T_odom_camera[:3, 3]
        assert error @ np.linalg.inv(estimate.pose_covariance[:3, :3]) @ error < 16  # four standard deviations
        assert np.linalg.norm(error) < 0.05 or Degeneracy.COMPETING_MOTION in estimate.degeneracies


@pytest.mark.parametrize("mode", ["mono", "stereo", "rgbd"])
def test_rotation_and_planes_are_named(simulator: ModuleType, mode: str) -> None:
    turning = simulator.World(path(4, (0.0, 0.0, 0.0, 0.0, 0.02, 0.0)))
    odometry: VisualOdometry[Any] = VisualOdometry(turning, OdometryConfig(mode=mode, subpixel_refinement=False))  # type: ignore
    turned = [odometry.process(frame) for frame in turning.frames()]
    passing = simulator.World(path(4, (0.1, 0.0, 0.0, 0.0, 0.0, 0.0)), panels=simulator.wall(3.0))
    passed = run(passing, mode)
    travelling = simulator.World(path(4, (0.2, 0.0, 0.3, 0.0, 0.02, 0.0), (-1.0, 0.3, -4.0)))
    assert {estimate.degeneracies for estimate in turned[1:]} == {(Degeneracy.PURE_ROTATION,)}
    assert {estimate.degeneracies for estimate in passed[1:]} == {(Degeneracy.PLANAR,)}
    assert run(travelling, mode)[-1].degeneracies == ()
    assert turned[0].degeneracies == ()
