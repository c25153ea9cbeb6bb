"""The ground among other things that a camera sees, by points with depth."""

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.geometry.normalized_matches import homogeneous
from loftr_ros.odometry.geometry.se3 import exp_rotation
from loftr_ros.odometry.scale.ground_plane import GroundPlane, down_in_camera, fit_ground

NOISE = 2e-3  # of inverse depth, per meter
Array = NDArray[np.float64]


def view(count: int = 600) -> Array:
    """Rays all over the image of a wide camera."""
    return np.random.default_rng(5).uniform((-0.7, -0.5), (0.7, 0.5), (count, 2))


def plane(points: Array, normal: Array, height: float) -> Array:
    """Inverse depths of a plane; none is behind the camera."""
    return np.maximum(homogeneous(points) @ normal / height, 0.0)


def fitted(points: Array, inverse_depth: Array, pitch: float = 0.0, seed: int = 0) -> GroundPlane | None:
    noise = NOISE * np.random.default_rng(seed).standard_normal(len(points))
    return fit_ground(points, inverse_depth + noise, np.full(len(points), NOISE), down_in_camera(pitch))


@pytest.mark.parametrize("pitch", [0.0, 0.4, -0.1, 1.2])
def test_the_height_over_level_ground(pitch: float) -> None:
    points = view()
    errors = []
    for seed in range(10):
        ground = fitted(points, plane(points, down_in_camera(pitch), 1.3), pitch, seed)
        assert ground is not None
        assert ground.normal @ down_in_camera(pitch) > np.cos(np.radians(1.0))
        errors.append((np.log(ground.height / 1.3)) / ground.sigma)
        assert ground.sigma < 0.02
    assert 0.3 < np.sqrt(np.mean(np.square(errors))) < 2.0


def test_down_of_a_camera_that_looks_down() -> None:
    np.testing.assert_allclose(down_in_camera(np.pi / 2), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(down_in_camera(0.2), exp_rotation([0.2, 0, 0]) @ [0, 1, 0], atol=1e-12)


def test_a_slope_that_the_mounting_does_not_foresee() -> None:
    points = view()
    slope = down_in_camera(np.radians(3.0))
    ground = fitted(points, plane(points, slope, 1.3))
    assert ground is not None
    assert ground.height == pytest.approx(1.3, rel=0.02)


def test_things_that_stand_on_the_ground() -> None:
    points = view(900)
    truth = plane(points, down_in_camera(0.0), 1.3)
    boxes = (points[:, 0] < -0.1) | (np.abs(points[:, 0] - 0.3) < 0.1)
    ground = fitted(points, np.where(boxes, np.maximum(truth, 0.5), truth))
    assert ground is not None
    assert ground.height == pytest.approx(1.3, rel=0.02)


def test_the_floor_wins_over_a_larger_table() -> None:
    points = view(900)
    floor, table = (plane(points, down_in_camera(0.3), height) for height in (1.3, 0.5))
    on_table = (np.abs(points[:, 0]) < 0.3) & (points[:, 1] > -0.1)
    ahead = points[:, 1] > -0.2
    assert on_table[ahead].mean() > 0.3
    ground = fitted(points, np.where(on_table, table, floor), 0.3)
    assert ground is not None
    assert ground.height == pytest.approx(1.3, rel=0.02)


def test_wrong_depths_among_the_right_ones() -> None:
    points = view(900)
    depths = plane(points, down_in_camera(0.0), 1.3)
    rng = np.random.default_rng(1)
    wrong = rng.random(len(points)) < 0.25
    depths[wrong] = rng.uniform(0.0, 1.0, wrong.sum())
    ground = fitted(points, depths)
    assert ground is not None
    assert ground.height == pytest.approx(1.3, rel=0.02)


def wall(points: Array) -> Array:
    return np.full(len(points), 0.4)


def facade(points: Array) -> Array:
    return plane(points, np.array([0.8, 0.0, 0.6]), 2.0)


def clutter(points: Array) -> Array:
    return np.random.default_rng(2).uniform(0.0, 1.0, len(points))


def sky(points: Array) -> Array:
    return np.zeros(len(points))


def nothing(points: Array) -> Array:
    return np.full(len(points), np.nan)


@pytest.mark.parametrize("scene", [wall, facade, clutter, sky, nothing], ids=lambda scene: scene.__name__)
def test_what_is_no_ground(scene: object) -> None:
    points = view()
    assert callable(scene)
    assert fitted(points, scene(points)) is None


def test_ground_above_the_horizon_is_a_ceiling() -> None:
    points = view()
    ceiling = np.maximum(-homogeneous(points) @ down_in_camera(0.0) / 1.3, 0.0)
    assert fitted(points, ceiling) is None


def test_a_camera_that_cannot_see_the_ground() -> None:
    points = view()
    assert fitted(points, plane(points, down_in_camera(-1.4), 1.3), -1.4) is None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(40))
def test_hostile_points_give_a_finite_plane_or_none(seed: int) -> None:
    """Depths that are infinite, tiny, or of no variance: a gate that NaN passes would ruin the scale for good."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (100, 2)) * rng.choice([1, 1, 1e-6, 1e6])
    down = down_in_camera(float(rng.choice([0.1, 1.5, -1.5])))
    inverse_depth = np.column_stack([points, np.ones(100)]) @ down / rng.choice([1e-6, 1.6, 1e3, 1e9])
    sigma = np.abs(inverse_depth) * rng.choice([1e-12, 0.01, 1, 1e6]) + rng.choice([0, 1e-300, 1e-9])
    inverse_depth[rng.integers(100)] = rng.choice([np.nan, np.inf, 1e300, -1e300, 0])
    sigma[rng.integers(100)] = rng.choice([0, np.nan, 1e300, 1e-300])
    plane = fit_ground(points, inverse_depth, sigma, down)
    assert plane is None or np.isfinite([plane.height, plane.sigma, *plane.normal]).all()
