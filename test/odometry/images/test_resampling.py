"""The images of one camera in the pixels of another."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.resampling import resampled_to, same_lens_and_pixels, same_pixels

CAMERA = Camera(320, 200, np.array([[250.0, 0, 161], [0, 255, 98], [0, 0, 1]]))
CROP = replace(CAMERA, width=256, height=160, K=CAMERA.K - np.array([[0, 0, 30], [0, 0, 24], [0, 0, 0]]))


def seen(image: NDArray[np.uint8], by: Camera) -> Frame:
    depth = np.tile(np.arange(320, dtype=np.float32), (200, 1))
    return resampled_to(Frame(7, image, CAMERA, depth=depth), Frame(8, np.zeros((by.height, by.width), np.uint8), by))


def test_a_calibration_that_changed() -> None:
    lens = replace(CAMERA, distortion_model="plumb_bob", distortion=np.array([0.1, 0, 0, 0]))
    same = replace(lens, K=lens.K * (1 + 1e-4), distortion=lens.distortion * (1 + 1e-4))
    assert same_lens_and_pixels(lens, same)
    others = CAMERA, CROP, replace(lens, distortion=lens.distortion * 1.1), replace(lens, distortion=np.zeros(5))
    for other in (*others, replace(lens, distortion_model="equidistant")):
        assert not same_lens_and_pixels(lens, other)


def test_cameras_with_the_same_pixels() -> None:
    assert same_pixels(CAMERA, replace(CAMERA, K=CAMERA.K * (1 + 1e-4)))
    assert not same_pixels(CAMERA, CAMERA.scaled(160, 100))
    assert not same_pixels(CAMERA, CROP)
    assert not same_pixels(CAMERA, replace(CAMERA, K=CAMERA.K * [[1.1], [1.1], [1.0]]))  # a zoom lens


@pytest.mark.parametrize("size", [(160, 100), (640, 400), (107, 50)])
def test_scaling(texture: NDArray[np.uint8], size: tuple[int, int]) -> None:
    smooth = np.asarray(cv2.GaussianBlur(texture, (0, 0), 4.0), np.uint8)
    frame = seen(smooth, CAMERA.scaled(*size))
    expected = np.asarray(cv2.resize(smooth, size, interpolation=cv2.INTER_AREA if size[0] < 320 else cv2.INTER_LINEAR))
    difference = frame.image[3:-3, 3:-3].astype(float) - expected[3:-3, 3:-3]
    assert frame.stamp_ns == 7
    assert np.abs(difference).mean() < 2
    assert frame.depth is not None
    centers = (np.arange(size[0]) + 0.5) * 320 / size[0] - 0.5
    np.testing.assert_allclose(frame.depth[5, 3:-3], centers[3:-3], atol=0.51)


def test_cropping_moves_whole_pixels(texture: NDArray[np.uint8]) -> None:
    frame = seen(texture, CROP)
    np.testing.assert_array_equal(frame.image, texture[24:184, 30:286])
    assert frame.depth is not None
    np.testing.assert_array_equal(frame.depth[0], np.arange(30, 286))


def test_what_was_not_seen_is_black_and_has_no_depth(texture: NDArray[np.uint8]) -> None:
    wide = replace(CAMERA, width=340, K=CAMERA.K + np.array([[0, 0, 20], [0, 0, 0], [0, 0, 0]]))
    frame = seen(texture, wide)
    assert not frame.image[:, :20].any()
    assert frame.depth is not None
    assert not frame.depth[:, :20].any()
    np.testing.assert_array_equal(frame.image[:, 20:], texture)
