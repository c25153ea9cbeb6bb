"""Calibrations as users have had them: those that no camera has are refused, those that hardly any has are named."""

import re

import numpy as np
import pytest

from loftr_ros.odometry.geometry.calibration_check import resize_hint, unlikely
from loftr_ros.odometry.geometry.camera import Camera, CameraError

T265 = [-0.0077, 0.0408, -0.0388, 0.0068]


def camera_of(
    fx: float, fy: float, cx: float, cy: float, width: int = 640, height: int = 480, **lens: object
) -> Camera:
    return Camera(width, height, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), **lens)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("k", "message"),
    [
        ([320, 0, 0, 0, 320, 0, 320, 240, 1], "transposed; write it row by row"),
        ([320, 0, 320, 0, 320, 240, 0, 0, 0.5], r"last row .* is \[0.0, 0.0, 0.5\]; it must be 0 0 1"),
        ([320, 0, 320, 0, 320, 240, 1, 0, 1], "last row"),
        ([320, 52, 320, 0, 320, 240, 0, 0, 1], "must be fx 0 cx.*rotation"),
        ([0.5, 0, 0.5, 0, 0.66, 0.5, 0, 0, 1], "divided by the image size; multiply fx and cx by the width"),
        ([3.6, 0, 2.4, 0, 3.6, 1.8, 0, 0, 1], "in millimeters, divide"),
        ([320, 0, 320, 0, 32, 240, 0, 0, 1], "fx = 320 and fy = 32 are too different"),
        ([320, 0, 700, 0, 320, 240, 0, 0, 1], r"\(700, 240\) is outside the image of 640x480: calibrate"),
        ([320, 0, 320, 0, 320, -5, 0, 0, 1], "outside"),
        ([640, 0, 640, 0, 640, 480, 0, 0, 1], "K fits images 2 times as large, of about 1280x960; .* by 0.5 if"),
        ([320, 0, 525, 0, 240, 525, 0, 0, 1], "fx and cx, fy and cy look exchanged"),
    ],
)
@pytest.mark.parametrize("rectified", [True, False])
def test_what_no_camera_has_is_refused(k: list[float], message: str, rectified: bool) -> None:
    p = np.c_[np.reshape(k, (3, 3)), np.zeros(3)].ravel().tolist()
    with pytest.raises(CameraError, match=message):
        Camera.from_camera_info(640, 480, k, [], "plumb_bob", p, rectified=rectified)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (
            camera_of(525, 525, 520, 240),
            r"principal point \(520, 240\) is far from the middle of the image of 640x480$",
        ),
        (camera_of(525, 525, 240, 320), "upright images of 480x640"),
        (camera_of(707, 707, 602, 183, 613, 185), "K fits images 1.97 times as large, of about 1208x365; .* 0.507"),
        (camera_of(262, 262, 159, 119), "K fits images 0.496 times"),
        (camera_of(525, 390, 320, 240), "differ by a factor of 1.35"),
        (camera_of(60, 60, 320, 240), "field of view is 158.8 degrees"),
        (camera_of(6000, 6000, 320, 240), "field of view is 6.1 degrees"),
    ],
)
def test_what_hardly_any_camera_has_is_named(camera: Camera, message: str) -> None:
    (found,) = unlikely(camera)
    assert re.search(message, found)


@pytest.mark.parametrize(
    "camera",
    [
        camera_of(707.0912, 707.0912, 601.8873, 183.1104, 1226, 370),  # KITTI
        camera_of(457.587, 456.134, 379.999, 255.238, 752, 480),  # EuRoC
        camera_of(320, 320, 320, 240),  # TartanAir
        camera_of(1163.45, 1164.79, 653.626, 481.6, 1296, 968),  # ScanNet
        camera_of(190.98, 190.97, 254.93, 256.9, 512, 512, distortion_model="fisheye", distortion=[0.003, 0, 0, 0]),
        camera_of(60, 60, 320, 240, distortion_model="fisheye", distortion=[0.003, 0, 0, 0]),  # 360 degrees nearly
        camera_of(285.7, 285.8, 419.9, 399.6, 848, 800, distortion_model="fisheye", distortion=T265),
        camera_of(285.7, 285.8, 419.9, 399.6, 848, 800, distortion_model="fisheye", distortion=[0.0, 0, 0, 0]),
    ],
)
def test_real_cameras_get_no_warning(camera: Camera) -> None:
    assert unlikely(camera, camera, 0.54) == ()


@pytest.mark.parametrize("distortion", [[-0.5, 0, 0, 0], [-5.0, 3, 9, 9], [1e6, 0, 0, 0], [-0.28, 0, 0, 0]])
def test_a_fisheye_lens_that_turns_back_is_named(distortion: list[float]) -> None:
    camera = camera_of(300, 300, 376, 240, 752, 480, distortion_model="fisheye", distortion=distortion)
    (found,) = unlikely(camera)
    assert "of equidistant is too strong to be undone at the sides of the image" in found


def test_both_cameras_of_a_pair_are_looked_at_once() -> None:
    good, wide = camera_of(525, 525, 320, 240), camera_of(60, 60, 320, 240)
    assert len(unlikely(wide, wide, 0.1)) == 1
    (found,) = unlikely(good, wide, 0.1)
    assert found.startswith("right camera: the field of view")


@pytest.mark.parametrize("baseline", [537.15, 12.0, 0.00012])
def test_a_baseline_in_another_unit_is_named(baseline: float) -> None:
    good = camera_of(525, 525, 320, 240)
    (found,) = unlikely(good, good, baseline)
    assert f"baseline is {baseline:g} m: check that it is in meters" in found


def test_images_of_another_size_are_told_what_the_calibration_becomes() -> None:
    hint = resize_hint(camera_of(320, 320, 320, 240), 320, 240)
    assert "0.5 times as large" in hint
    assert "width 320, height 240, fx 160, fy 160, cx 159.75, cy 119.75" in hint
    assert resize_hint(camera_of(707, 707, 602, 183, 1226, 370), 613, 185)
    assert resize_hint(camera_of(320, 320, 320, 240), 320, 480) == ""
