from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import MIN_NOISE_PX
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.mapping.depth_image import depths_from_image
from loftr_ros.odometry.mapping.inverse_depth import (
    CellDepths,
    PropagatedDepths,
    depths_from_motion,
    depths_from_stereo,
    propagate,
)
from loftr_ros.odometry.pose.baseline_length import length_ratio

MakeWorld = Callable[..., Any]
Curve = Callable[..., list[NDArray[np.float64]]]


def cells(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def pairs(
    left: NDArray[np.floating[Any]], right: NDArray[np.floating[Any]], covariance_b: NDArray[np.float64] | None = None
) -> Matches:
    """Matches of left and right points; float64, to be exact."""
    count = len(left)
    return Matches(left, right, np.ones(count, np.float32), np.arange(count), covariance_b)  # type: ignore[arg-type]


def depths(numbers: list[int], value: list[float], sigma: list[float]) -> CellDepths:
    return CellDepths.of(cells(*numbers), np.array(value), np.array(sigma))


def test_cells_are_found_by_number_whatever_the_order() -> None:
    known = depths([7, 2, 5], [0.7, 0.2, 0.5], [0.07, 0.02, 0.05])
    value, sigma = known.at(cells(5, 3, 7, 99))
    np.testing.assert_array_equal(value, [0.5, np.nan, 0.7, np.nan])
    np.testing.assert_array_equal(sigma, [0.05, np.nan, 0.07, np.nan])
    assert np.isnan(CellDepths.empty().at(cells(1))[0]).all()


def test_only_finite_depth_that_may_be_in_front_of_the_camera_is_kept() -> None:
    """What noise makes a little negative is far away."""
    found = depths([1, 2, 3, 4, 5], [np.nan, -0.1, 0.0, 0.1, -0.1], [1.0, 0.03, 0.03, np.inf, 0.05])
    np.testing.assert_array_equal(found.cells, [3, 5])


def test_far_points_are_not_too_near_on_average() -> None:
    rng = np.random.default_rng(0)
    truth, sigma = np.full(4000, 0.002), np.full(4000, 0.004)
    found = CellDepths.of(np.arange(4000), truth + sigma * rng.normal(size=4000), sigma)
    assert found.value.mean() == pytest.approx(0.002, abs=3 * 0.004 / np.sqrt(4000))


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
    found = depths_from_stereo(matches, world.camera, world.rig, threshold_px=1.0)
    truth = 1.0 / world.depth(world.poses[0], matches.points_a)
    value, sigma = found.at(matches.cell_a)
    seen = np.isfinite(value)
    assert seen.mean() > 0.85  # outliers leave their row, or have no disparity
    assert (np.abs(value - truth)[seen] < 1e-3 * truth[seen]).mean() > 0.98
    np.testing.assert_allclose(sigma[seen], MIN_NOISE_PX / (250 * 0.2), rtol=1e-3)


def test_no_depth_from_rows_that_differ_or_disparities_that_noise_does_not_make_negative(make_world: MakeWorld) -> None:
    left = np.array([[50, 50], [50, 50], [50, 50], [50, 50]], np.float32)
    right = np.array([[45, 50], [45, 53], [50.05, 50], [55, 50]], np.float32)
    world = make_world([])
    found = depths_from_stereo(pairs(left, right), world.camera, world.rig, 1.0)
    np.testing.assert_array_equal(found.cells, [0, 2])


@given(
    left=st.tuples(st.floats(0, 639), st.floats(0, 479)),
    disparity=st.floats(0.01, 200),
    rise=st.floats(-0.9, 0.9),
    covariance_b=st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)),
    fx=st.floats(100, 2000),
    fy=st.floats(100, 2000),
    baseline=st.floats(0.01, 5),
)
def test_depth_of_a_rectified_pair_is_focal_length_times_baseline_by_disparity(
    left: tuple[float, float],
    disparity: float,
    rise: float,
    covariance_b: tuple[float, float],
    fx: float,
    fy: float,
    baseline: float,
) -> None:
    camera = Camera(640, 480, np.array([[fx, 0, 300], [0, fy, 250], [0, 0, 1]]))
    matches = pairs(np.array([left]), np.array([left]) - [disparity, rise], np.diag(covariance_b)[None])
    found = depths_from_stereo(matches, camera, StereoRig.rectified(camera, baseline), 1.0)
    np.testing.assert_allclose(found.value, disparity / (fx * baseline), rtol=1e-9)
    # The only match is off by `rise`, which tells the noise; but what counts is how well the column is known.
    noise = max(1.4826 * abs(rise) / np.sqrt(covariance_b[1]), MIN_NOISE_PX)
    np.testing.assert_allclose(found.sigma, noise * np.sqrt(covariance_b[0]) / (fx * baseline), rtol=1e-6)


def test_depth_of_a_rectified_pair_whose_cameras_differ() -> None:
    """Each camera has its own focal length and principal point: what counts is the disparity on z = 1."""
    left = Camera(640, 480, np.array([[400.0, 0, 320], [0, 400, 240], [0, 0, 1]]))
    right = Camera(640, 480, np.array([[410.0, 0, 300], [0, 405, 250], [0, 0, 1]]))
    truth = np.array([0.0, 0.1, 1.0])
    points = np.array([[0.1, -0.2], [0.0, 0.3], [-0.3, 0.1]])
    pixels = [camera.project(np.c_[points, np.ones(3)]) for camera in (left, right)]
    pixels[1][:, 0] -= 410 * 0.2 * truth
    found = depths_from_stereo(pairs(*pixels), left, StereoRig.rectified(right, 0.2), 1.0)
    np.testing.assert_allclose(found.value, truth, atol=1e-9)


def test_a_match_that_slid_along_an_edge_is_brought_back_to_its_row(make_world: MakeWorld) -> None:
    """Along the diagonal it is known to 5 px, across to 0.1 px: moving by half a pixel along it changes nothing."""
    world = make_world([])
    covariance_b = np.array([[25, 25], [25, 25]]) / 2 + np.array([[0.01, -0.01], [-0.01, 0.01]]) / 2
    left = np.array([[50.0, 50.0], [90.0, 70.0]])
    right = left - [[10.0, 0.0], [10.5, 0.5]]
    noise = 1.4826 * np.median([0.0, 0.5 / np.sqrt(covariance_b[1, 1])])
    found = depths_from_stereo(pairs(left, right, np.tile(covariance_b, (2, 1, 1))), world.camera, world.rig, 1.0)
    np.testing.assert_allclose(found.value, 10 / (250 * 0.2), rtol=1e-3)
    np.testing.assert_allclose(found.sigma, np.sqrt(2) * 0.1 * noise / (250 * 0.2), rtol=1e-3)


LENSES = {
    "plumb_bob": [-0.28, 0.07, 0.0002, 0.00002, 0.0],
    "rational_polynomial": [0.3, 0.05, 0.0004, 0.0001, 0.0, 0.55, 0.1, 0.0],
    "equidistant": [-0.01, 0.02, -0.01, 0.002],
}


def raw_rig(left: str, right: str) -> tuple[Camera, StereoRig]:
    """Wide lenses of both models; the right camera is turned by 7 degrees, lower, and further forward."""
    a, b = (
        Camera(640, 480, np.array([[f, 0, 310], [0, f + 1, 245], [0, 0, 1]]), model, np.array(LENSES[model]))
        for f, model in ((300, left), (310, right))
    )
    return a, StereoRig(b, se3.transform(se3.exp_rotation([0.05, -0.1, 0.04]), [0.2, 0.02, 0.03]))


@pytest.mark.parametrize("left", LENSES)
@pytest.mark.parametrize("right", LENSES)
def test_depth_of_a_raw_pair(left: str, right: str) -> None:
    rng = np.random.default_rng(0)
    camera, rig = raw_rig(left, right)
    pixels = rng.uniform((20, 20), (620, 460), (4000, 2))
    truth = rng.uniform(0.05, 1.0, 4000)
    exact = rig.project(camera.normalize(pixels), truth)
    seen = ((exact >= 0) & (exact < (640, 480))).all(axis=1)
    root = rng.uniform(-0.7, 0.7, (4000, 2, 2)) + 0.5 * np.eye(2)
    noisy = exact + 0.2 * (root @ rng.standard_normal((4000, 2, 1)))[:, :, 0]
    covariance_b = root @ root.transpose(0, 2, 1)
    found = depths_from_stereo(pairs(pixels[seen], noisy[seen], covariance_b[seen]), camera, rig, 1.0)
    assert len(found) > 0.99 * seen.sum() > 2000
    deviations = (found.value - truth[seen][found.cells]) / found.sigma
    assert np.median(np.abs(deviations)) == pytest.approx(0.674, abs=0.05)
    assert np.sqrt((deviations**2).mean()) == pytest.approx(1.0, abs=0.05)


def test_a_raw_pair_rejects_what_leaves_its_epipolar_curve() -> None:
    camera, rig = raw_rig("equidistant", "plumb_bob")
    pixels = np.tile([[200.0, 150.0]], (2, 1))
    places = rig.project(camera.normalize(pixels), np.array([0.3, 0.3]))
    along = rig.project(camera.normalize(pixels[:1]), np.array([0.31])) - places[:1]
    across = along[:, ::-1] * [[1, -1]] / np.linalg.norm(along)
    found = depths_from_stereo(pairs(pixels, places + [[0.9], [1.1]] * across), camera, rig, 1.0)
    np.testing.assert_array_equal(found.cells, [0])
    np.testing.assert_allclose(found.value, 0.3, rtol=1e-3)


def test_depth_image_is_read_between_pixels() -> None:
    """Inverse depth is linear in the image of a plane."""
    row, column = np.mgrid[0:40, 0:40]
    depth = (1.0 / (0.1 + 0.001 * column + 0.001 * row)).astype(np.float32)
    points = np.array([[3.5, 11.5], [20.25, 7.0]], np.float32)
    found = depths_from_image(pairs(points, points), depth)
    np.testing.assert_allclose(found.value, 0.1 + 0.001 * points[:, 0] + 0.001 * points[:, 1], rtol=1e-5)


def test_depth_image_is_unknown_in_holes_and_at_edges() -> None:
    depth = np.full((40, 40), 2.0, np.float32)
    depth[:, 20:] = 4.0
    depth[24:37, 24:37] = 0.0
    depth[4:17, 24:37] = np.nan
    depth[20, 30] = 0.0  # so small a hole is bridged
    points = np.array([[5, 5], [20, 5], [30, 30], [30, 10], [30, 20], [0, 0], [39, 39]], np.float32)
    count = len(points)
    found = depths_from_image(Matches(points, points, np.ones(count, np.float32), np.arange(count)), depth)
    np.testing.assert_array_equal(found.cells, [0, 4, 5, 6])
    np.testing.assert_array_equal(found.value, [0.5, 0.25, 0.5, 0.25])


SPARSE: dict[str, Callable[[NDArray[np.float32]], NDArray[np.bool_]]] = {
    "holes": lambda depth: np.random.default_rng(0).random(depth.shape) > 0.2,
    "mostly holes": lambda depth: np.random.default_rng(0).random(depth.shape) > 0.6,
    "every sixth row": lambda depth: np.arange(len(depth))[:, None] % 6 == 0,
    "a grid": lambda depth: np.indices(depth.shape).__mod__([[[6]], [[4]]]).max(axis=0) == 0,
}


@pytest.mark.parametrize("pattern", SPARSE)
def test_sparse_depth_is_as_good_as_dense(make_world: MakeWorld, curve: Curve, pattern: str) -> None:
    world = make_world(curve(1))
    matches = world.match((0, 0), (0, 0))
    dense = world.frame(0).depth
    sparse = np.where(SPARSE[pattern](dense), dense, 0.0).astype(np.float32)
    expected, found = depths_from_image(matches, dense), depths_from_image(matches, sparse)
    assert len(found) > 0.7 * len(expected)
    value, sigma = expected.at(found.cells)[0], found.sigma
    both = np.isfinite(value)
    error = np.abs(found.value - value)[both]
    assert np.quantile(error / value[both], 0.95) < 0.01
    assert (error < 3 * sigma[both]).all()


@pytest.mark.parametrize("pattern", SPARSE)
def test_sparse_depth_never_mixes_what_is_near_and_far(pattern: str) -> None:
    """Across an edge every value is that of one side, or unknown."""
    depth = np.full((120, 160), 2.0, np.float32)
    depth[:, 80:] = 4.0
    depth[60:] *= 1.5
    row, column = np.mgrid[10:110, 10:150].reshape(2, -1)
    points = np.column_stack([column, row]).astype(np.float32)
    found = depths_from_image(pairs(points, points), np.where(SPARSE[pattern](depth), depth, np.nan))
    assert len(found) > 0.5 * len(points)
    assert np.abs(found.value[:, None] - 1 / np.array([2.0, 3.0, 4.0, 6.0])).min(axis=1).max() < 1e-6


def test_depth_carries_over_to_the_next_grid(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(3), noise_px=0.0, outliers=0.0)
    T_0_1 = se3.inverse(world.poses[0]) @ world.poses[1]
    matches = world.match((0, 0), (1, 0))
    known = depths_from_motion(matches, world.camera, T_0_1, 0.2)
    propagated = propagate(matches, world.camera, known, T_0_1)
    later = world.match((1, 0), (2, 0))
    value, sigma = propagated.at(world.camera.normalize(later.points_a))
    seen = np.isfinite(value)
    truth = 1.0 / world.depth(world.poses[1], later.points_a)
    assert seen.mean() > 0.9
    # Exact on the walls; where two walls meet the depth is uncertain, and says so.
    assert np.median(np.abs(value - truth)[seen] / truth[seen]) < 1e-4
    assert (np.abs(value - truth)[seen] <= 3 * sigma[seen]).all()


@pytest.mark.parametrize("count", [0, 2, 5])
def test_nothing_to_interpolate_between(count: int) -> None:
    on_a_line = np.column_stack([np.arange(count), np.arange(count)]).astype(float)
    value, sigma = PropagatedDepths(on_a_line, np.ones(count), np.ones(count)).at(np.zeros((3, 2)))
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
