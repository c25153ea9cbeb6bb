from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.images.structure_tensor import StructureTensor
from loftr_ros.odometry.images.subpixel import refine_subpixel

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


def test_refinement_finds_the_shift_to_a_tenth_of_a_pixel(texture: NDArray[np.uint8]) -> None:
    image = cv2.GaussianBlur(texture, (0, 0), 1.0).astype(np.uint8)
    matches = matches_with_error(image, 0.7)
    refined = refine_subpixel(StructureTensor(image), shifted(image), matches, max_shift_px=3.0)
    assert median_error(matches) > 0.5
    assert median_error(refined) < 0.1
    np.testing.assert_array_equal(refined.cell_a, matches.cell_a)


def test_what_comes_nearer_is_found_at_its_new_size(texture: NDArray[np.uint8]) -> None:
    """Patches of one size on images of different scale fit in the wrong place; the other image may be larger, too."""
    image = cv2.GaussianBlur(texture, (0, 0), 1.0).astype(np.uint8)
    matrix = np.array([[1.3, 0.05, -20.0], [-0.05, 1.3, -12.0]])
    nearer = np.asarray(cv2.warpAffine(image, matrix, (image.shape[1] + 40, image.shape[0] + 30)), np.uint8)
    matches = matches_with_error(image, 0.0)
    truth = matches.points_a @ matrix[:, :2].T + matrix[:, 2]
    inside = ((truth > 10) & (truth < np.array(nearer.shape[::-1]) - 10)).all(axis=1)
    noise = np.random.default_rng(1).normal(size=truth.shape) * 0.7
    matches = replace(matches, points_b=(truth + noise).astype(np.float32)).select(inside)
    refined = refine_subpixel(StructureTensor(image), nearer, matches, max_shift_px=3.0)
    error = refined.points_b - refined.points_a @ matrix[:, :2].T - matrix[:, 2]
    assert len(refined) > 0.8 * len(matches)
    assert np.median(np.linalg.norm(error, axis=1)) < 0.15


def test_a_point_that_walks_away_is_left_out(texture: NDArray[np.uint8]) -> None:
    matches = matches_with_error(texture, 0.7)
    refined = refine_subpixel(StructureTensor(texture), shifted(texture), matches, max_shift_px=0.7)
    kept = np.isin(matches.cell_a, refined.cell_a)
    walked = np.linalg.norm(refined.points_b - matches.points_b[kept], axis=1)
    assert 0 < walked.max() <= 0.7
    assert 100 < kept.sum() < len(matches)


def test_a_patch_that_is_not_in_the_other_image_is_left_out(texture: NDArray[np.uint8]) -> None:
    other = shifted(texture)
    other[:, : other.shape[1] // 2] = other[::-1, : other.shape[1] // 2]
    refined = refine_subpixel(StructureTensor(texture), other, matches_with_error(texture, 0.7), max_shift_px=3.0)
    assert (refined.points_b[:, 0] < other.shape[1] / 2 - 10).mean() < 0.1


def test_without_the_forward_backward_check_more_matches_stay(texture: NDArray[np.uint8]) -> None:
    """Of the same matches more stay, those among them that should not."""
    other = shifted(texture)
    other[:, : other.shape[1] // 2] = other[::-1, : other.shape[1] // 2]
    checked, unchecked = (
        refine_subpixel(
            StructureTensor(texture), other, matches_with_error(texture, 0.7), max_shift_px=3.0, forward_backward=both
        )
        for both in (True, False)
    )
    assert len(unchecked) > 1.2 * len(checked)
    assert np.isin(checked.cell_a, unchecked.cell_a).all()


def test_too_few_that_agree_leave_the_matches_as_they_were(texture: NDArray[np.uint8]) -> None:
    matches = matches_with_error(texture, 0.7)
    refined = refine_subpixel(StructureTensor(texture), np.flipud(texture).copy(), matches, max_shift_px=0.1)
    np.testing.assert_array_equal(refined.cell_a, matches.cell_a)
    assert (refined.points_b == matches.points_b).all(axis=1).mean() > 0.9


def test_along_an_edge_a_point_is_less_certain_than_across_it() -> None:
    image = np.zeros((200, 240), np.uint8)
    image[:, 120:] = 200
    image = cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.uint8)
    points = np.array([[120, 100]] * 3, np.float32)
    matches = Matches(points, points, np.ones(3, np.float32), np.arange(3))
    covariance = refine_subpixel(StructureTensor(image), image, matches, max_shift_px=3.0).covariance_b
    assert covariance is not None
    assert covariance[0, 1, 1] > 100 * covariance[0, 0, 0]
    assert np.trace(covariance[0]) == pytest.approx(2.0)


def test_blank_images_and_no_matches_change_nothing(texture: NDArray[np.uint8]) -> None:
    blank = np.zeros_like(texture)
    matches = matches_with_error(blank, 0.7)
    np.testing.assert_array_equal(
        refine_subpixel(StructureTensor(blank), blank, matches, 3.0).points_b, matches.points_b
    )
    none = matches.select(np.zeros(len(matches), bool))
    assert len(refine_subpixel(StructureTensor(texture), texture, none, 3.0)) == 0
