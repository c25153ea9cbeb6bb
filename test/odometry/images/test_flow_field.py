import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.images.flow_field import FlowField

SHAPE = (123, 170)
MATRIX = np.array([[1.2, 0.04, -9.0], [-0.03, 1.1, 5.0]])


def grid() -> NDArray[np.float32]:
    y, x = np.mgrid[3 : SHAPE[0] : 8, 3 : SHAPE[1] : 8].reshape(2, -1)
    return np.column_stack([x, y]).astype(np.float32)


def moved(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(points @ MATRIX[:, :2].T + MATRIX[:, 2], np.float32)


def everywhere() -> NDArray[np.float32]:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    return np.dstack([x, y])


def largest_error(points_a: NDArray[np.float32], points_b: NDArray[np.float32], margin: int = 36) -> float:
    found = FlowField.of(points_a, points_b, SHAPE).at(everywhere().reshape(-1, 2)).reshape(*SHAPE, 2)
    error = np.linalg.norm(found - moved(everywhere().reshape(-1, 2)).reshape(*SHAPE, 2), axis=2)
    return float(error[margin:-margin, margin:-margin].max())


def test_an_affine_motion_is_found_between_the_points() -> None:
    assert largest_error(grid(), moved(grid())) < 1.0


def test_outliers_do_not_change_the_flow() -> None:
    points = moved(grid())
    points[::9] += np.array([25.0, -14.0], np.float32)
    assert largest_error(grid(), points) < 1.0


def test_a_gap_is_filled_from_further_away() -> None:
    away = np.linalg.norm(grid() - np.array([85, 60]), axis=1) > 25
    assert largest_error(grid()[away], moved(grid())[away]) < 3.0


def test_points_at_the_border_and_a_single_one() -> None:
    points = np.array([[169.4, 122.4]], np.float32)
    flow = FlowField.of(points, points + 5, SHAPE)
    np.testing.assert_allclose(flow.at(np.array([[160, 110]], np.float32)), [[165, 115]], atol=1e-4)
    assert np.isfinite(flow.at(everywhere().reshape(-1, 2))).all()


def test_an_image_is_brought_back_pixel_by_pixel() -> None:
    """Over more than one band; of an image whose gray value is the place, but for the rounding."""
    shape = (200, 150)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    points = np.column_stack([x[::8, ::8].ravel(), y[::8, ::8].ravel()])
    flow = FlowField.of(points, points + np.array([3.4, -2.6], np.float32), shape)
    for axis, gray in enumerate((x, y)):
        expected = flow.at(np.dstack([x, y]).reshape(-1, 2))[:, axis].clip(0, gray.max()).reshape(shape)
        back = flow.warp_to_a(gray.astype(np.uint8))
        assert back.shape == shape
        np.testing.assert_allclose(back, expected, atol=0.6)
