from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry import se3
from loftr_ros.odometry.depth import (
    CarriedDepths,
    CellDepths,
    carry_over,
    depths_from_image,
    depths_from_motion,
    depths_from_stereo,
    length_ratio,
)

MakeWorld = Callable[..., Any]
Curve = Callable[..., list[NDArray[np.float64]]]


def cells(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def depths(numbers: list[int], value: list[float], sigma: list[float]) -> CellDepths:
    return CellDepths.of(cells(*numbers), np.array(value), np.array(sigma))


def test_cells_are_found_by_number_whatever_the_order() -> None:
    known = depths([7, 2, 5], [0.7, 0.2, 0.5], [0.07, 0.02, 0.05])
    value, sigma = known.at(cells(5, 3, 7, 99))
    np.testing.assert_array_equal(value, [0.5, np.nan, 0.7, np.nan])
    np.testing.assert_array_equal(sigma, [0.05, np.nan, 0.07, np.nan])
    assert np.isnan(CellDepths.empty().at(cells(1))[0]).all()


def test_only_finite_depth_in_front_of_the_camera_is_kept() -> None:
    assert len(depths([1, 2, 3, 4], [np.nan, -0.1, 0.0, 0.1], [1.0, 1.0, 1.0, np.inf])) == 0


def test_of_a_cell_given_twice_the_more_certain_is_kept() -> None:
    assert depths([1, 1], [0.1, 0.2], [0.05, 0.01]).at(cells(1))[0] == [0.2]


def test_fusion_weighs_by_certainty_and_rejects_what_contradicts() -> None:
    old = depths([1, 2, 3], [0.10, 0.10, 0.10], [0.01, 0.01, 0.01])
    fused = old.fused(depths([1, 2, 4], [0.12, 0.50, 0.30], [0.01, 0.01, 0.02]))
    value, sigma = fused.at(cells(1, 2, 3, 4))
    np.testing.assert_allclose(value, [0.11, 0.10, 0.10, 0.30])
    np.testing.assert_allclose(sigma, [0.01 / np.sqrt(2), 0.01, 0.01, 0.02])


def test_completion_never_overwrites() -> None:
    completed = depths([1], [0.1], [0.01]).completed(depths([1, 2], [0.5, 0.6], [0.01, 0.01]))
    np.testing.assert_array_equal(completed.at(cells(1, 2))[0], [0.1, 0.6])


def test_stereo_depth(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(1), noise_px=0.0)
    matches = world.match((0, 0), (0, 1))
    found = depths_from_stereo(matches, world.camera, row_threshold_px=1.0, noise_px=0.2)
    truth = 1.0 / world.depth(world.poses[0], matches.points_a)
    value, sigma = found.at(matches.cell_a)
    seen = np.isfinite(value)
    assert seen.mean() > 0.85  # outliers leave their row, or have no disparity
    assert (np.abs(value - truth)[seen] < 1e-3 * truth[seen]).mean() > 0.98
    np.testing.assert_allclose(sigma[seen], 0.2 / 250 / 0.2)


def test_no_depth_from_rows_that_differ_or_disparities_that_are_not_positive(make_world: MakeWorld) -> None:
    left = np.array([[50, 50], [50, 50], [50, 50], [50, 50]], np.float32)
    right = np.array([[45, 50], [45, 53], [50, 50], [55, 50]], np.float32)
    found = depths_from_stereo(
        Matches(left, right, np.ones(4, np.float32), cells(0, 1, 2, 3)), make_world([]).camera, 1.0, 0.2
    )
    np.testing.assert_array_equal(found.cells, [0])


def test_depth_image_is_unknown_at_holes_and_edges() -> None:
    depth = np.full((40, 40), 2.0, np.float32)
    depth[:, 20:] = 4.0
    depth[30, 30] = 0.0
    depth[10, 30] = np.nan
    points = np.array([[5, 5], [20, 5], [30, 30], [30, 10], [30, 20], [0, 0], [39, 39]], np.float32)
    count = len(points)
    found = depths_from_image(Matches(points, points, np.ones(count, np.float32), np.arange(count)), depth)
    np.testing.assert_array_equal(found.cells, [0, 4, 5, 6])
    np.testing.assert_array_equal(found.value, [0.5, 0.25, 0.5, 0.25])


def test_depth_carries_over_to_the_next_grid(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(3), noise_px=0.0, outliers=0.0)
    T_0_1 = se3.inverse(world.poses[0]) @ world.poses[1]
    matches = world.match((0, 0), (1, 0))
    known = depths_from_motion(matches, world.camera, T_0_1, 0.2)
    carried = carry_over(matches, world.camera, known, T_0_1)
    later = world.match((1, 0), (2, 0))
    value, sigma = carried.at(world.camera.normalize(later.points_a))
    seen = np.isfinite(value)
    truth = 1.0 / world.depth(world.poses[1], later.points_a)
    assert seen.mean() > 0.9
    # Exact on the walls; where two walls meet the depth is uncertain, and says so.
    assert np.median(np.abs(value - truth)[seen] / truth[seen]) < 1e-4
    assert (np.abs(value - truth)[seen] <= 3 * sigma[seen]).all()


@pytest.mark.parametrize("count", [0, 2, 5])
def test_nothing_to_interpolate_between(count: int) -> None:
    on_a_line = np.column_stack([np.arange(count), np.arange(count)]).astype(float)
    value, sigma = CarriedDepths(on_a_line, np.ones(count), np.ones(count)).at(np.zeros((3, 2)))
    assert np.isnan(value).all()
    assert np.isnan(sigma).all()


def test_the_length_of_a_baseline_is_found_without_bias() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.05, 0.3, 20000)
    known = truth + 0.03 * rng.normal(size=20000)
    measured = 1.05 * truth + 0.03 * rng.normal(size=20000)
    measured[:1000:2] += 1.0
    measured[1:1000:2] -= 1.0
    ratio = length_ratio(known, np.full(20000, 0.03), measured, np.full(20000, 0.03))
    least_squares = known @ measured / (known @ known)
    assert least_squares != pytest.approx(1.05, rel=0.015)
    assert ratio == pytest.approx(1.05, rel=0.015)
