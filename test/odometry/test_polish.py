import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.polish import polish

SHIFT = np.array([3.3, -1.6])


def shifted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    matrix = np.column_stack([np.eye(2), SHIFT])
    return np.asarray(cv2.warpAffine(image, matrix, image.shape[::-1], flags=cv2.INTER_CUBIC), np.uint8)


def matches_with_error(image: NDArray[np.uint8], error: float) -> Matches:
    y, x = np.mgrid[30 : image.shape[0] - 30 : 8, 30 : image.shape[1] - 30 : 8].reshape(2, -1)
    points = np.column_stack([x, y]).astype(np.float32)
    noise = np.random.default_rng(0).normal(size=points.shape) * error
    count = len(points)
    return Matches(points, (points + SHIFT + noise).astype(np.float32), np.ones(count, np.float32), np.arange(count))


def median_error(matches: Matches) -> float:
    return float(np.median(np.linalg.norm(matches.points_b - matches.points_a - SHIFT, axis=1)))


def test_polish_finds_the_shift_to_a_tenth_of_a_pixel(texture: NDArray[np.uint8]) -> None:
    image = cv2.GaussianBlur(texture, (0, 0), 1.0).astype(np.uint8)
    matches = matches_with_error(image, 0.7)
    polished = polish(image, shifted(image), matches, max_shift_px=3.0)
    assert median_error(matches) > 0.5
    assert median_error(polished) < 0.1
    np.testing.assert_array_equal(polished.cell_a, matches.cell_a)


def test_a_point_that_walks_away_stays_where_it_was(texture: NDArray[np.uint8]) -> None:
    matches = matches_with_error(texture, 0.7)
    polished = polish(texture, shifted(texture), matches, max_shift_px=0.5)
    moved = np.linalg.norm(polished.points_b - matches.points_b, axis=1)
    assert moved.max() <= 0.5
    assert (moved == 0).any()
    assert (moved > 0).any()


def test_blank_images_and_no_matches_change_nothing(texture: NDArray[np.uint8]) -> None:
    blank = np.zeros_like(texture)
    matches = matches_with_error(blank, 0.7)
    np.testing.assert_array_equal(polish(blank, blank, matches, 3.0).points_b, matches.points_b)
    none = matches.select(np.zeros(len(matches), bool))
    assert len(polish(texture, texture, none, 3.0)) == 0
