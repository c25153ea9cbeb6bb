"""Bars at the borders of the images, as of letterboxing."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.checks.black_bars import BlackBars
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning

Image = NDArray[np.uint8]
K = np.array([[320.0, 0, 320], [0, 320, 240], [0, 0, 1]])


def picture(index: int) -> Image:
    coarse = np.random.default_rng(index).integers(40, 220, (24, 32)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC), np.uint8)


def letterboxed(image: Image) -> Image:
    return np.asarray(cv2.copyMakeBorder(cv2.resize(image, (640, 360)), 60, 60, 0, 0, cv2.BORDER_CONSTANT), np.uint8)


def as_jpeg(image: Image) -> Image:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], 0), np.uint8)


def rectified(image: Image) -> Image:
    """All pixels of a wide lens, with black borders."""
    smaller = K * [[0.7], [0.7], [1.0]] + [[0, 0, 96], [0, 0, 72], [0, 0, 0]]
    return np.asarray(cv2.undistort(image, K, np.array([-0.2, 0.06, 0, 0, 0]), None, smaller), np.uint8)


def with_dark_sky(image: Image) -> Image:
    """Black down to a horizon that is not straight."""
    row, column = np.mgrid[:480, :640]
    return np.where(row < 100 + 20 * np.sin(column / 60.0), np.uint8(0), image)


def warning_of(change: Callable[[Image], Image], count: int = 6) -> InputWarning | None:
    check = BlackBars()
    for index in range(count):
        check.add_frame(change(picture(index)))
    return check.warning


@pytest.mark.parametrize("change", [letterboxed, lambda image: as_jpeg(letterboxed(image))], ids=["raw", "jpeg"])
def test_letterbox(change: Callable[[Image], Image]) -> None:
    warning = warning_of(change)
    assert warning is not None
    assert warning.fault is InputFault.BLACK_BARS
    assert "60 px at the top, 60 px at the bottom" in warning.text


def test_pillars() -> None:
    warning = warning_of(lambda image: np.pad(image[:, 80:560], ((0, 0), (80, 80))))
    assert warning is not None
    assert "80 px at the left, 80 px at the right" in warning.text


@pytest.mark.parametrize("change", [np.asarray, rectified, with_dark_sky], ids=["picture", "rectified", "dark sky"])
def test_no_bars(change: Callable[[Image], Image]) -> None:
    assert warning_of(change) is None


def test_bars_of_single_images_are_none() -> None:
    check = BlackBars()
    for index in range(10):
        image = picture(index)
        check.add_frame(letterboxed(image) if index == 4 else image)
    assert check.warning is None


def test_an_image_of_one_gray_level_has_no_bars() -> None:
    assert warning_of(np.zeros_like) is None
