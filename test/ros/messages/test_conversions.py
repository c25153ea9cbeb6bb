"""Arrays and calibrations to messages, and calibrations back."""

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from loftr_ros.messages.camera_info import camera_from_info, rig_from_infos
from loftr_ros.messages.image_decoding import depth_from_compressed, gray_from_compressed
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera, CameraError, stereo_baseline
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.ros.messages.conversions import (
    compressed_from_array,
    image_from_array,
    info_from_camera,
    infos_from_rig,
)

HEIGHT, WIDTH = 24, 34


def ramp(dtype=np.uint8) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (40 + 3 * x + 2 * y).astype(dtype)


@pytest.mark.parametrize(
    ("array", "encoding"),
    [
        (ramp(), "mono8"),
        (np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), "bgr8"),
        (ramp(np.uint16), "16UC1"),
        (ramp(np.float32), "32FC1"),
    ],
)
def test_arrays_become_messages(array, encoding):
    image = image_from_array(array)
    assert (image.height, image.width, image.encoding) == (HEIGHT, WIDTH, encoding)
    assert image.step * image.height == len(image.data)
    np.testing.assert_array_equal(np.frombuffer(image.data, array.dtype).reshape(array.shape), array)


def test_arrays_survive_being_compressed():
    image = compressed_from_array(ramp())
    assert image.format == "mono8; png compressed"
    np.testing.assert_array_equal(gray_from_compressed(image, "image"), ramp())
    meters = ramp(np.float32) / 100
    meters[0, :2] = np.nan, 0
    depth = compressed_from_array(meters)
    assert depth.format == "16UC1; compressedDepth png"
    np.testing.assert_allclose(depth_from_compressed(depth, "depth"), np.nan_to_num(meters), atol=0.00051)


def test_a_stereo_pair_survives_the_way_through_camera_infos():
    K = np.array([[400.0, 0, 17], [0, 410, 12], [0, 0, 1]])
    camera = Camera(WIDTH, HEIGHT, K)
    infos = infos_from_rig(camera, StereoRig.rectified(camera, 0.12))
    for rectified in (True, False):
        found = rig_from_infos(*infos, 0.12, rectified=rectified)
        np.testing.assert_allclose(camera_from_info(infos[0], rectified=rectified).K, K)
        np.testing.assert_allclose(found.right.K, K)
        np.testing.assert_allclose(found.T_left_right, se3.transform(np.eye(3), [0.12, 0, 0]))


def test_a_rectified_pair_keeps_the_intrinsics_of_each_camera():
    left = Camera(WIDTH, HEIGHT, np.array([[400.0, 0, 17], [0, 400, 12], [0, 0, 1]]))
    right = Camera(WIDTH, HEIGHT, np.array([[380.0, 0, 15], [0, 385, 13], [0, 0, 1]]))
    infos = infos_from_rig(left, StereoRig.rectified(right, 0.12))
    for rectified in (True, False):
        rig = rig_from_infos(*infos, stereo_baseline(infos[0].p, infos[1].p), rectified=rectified)
        np.testing.assert_array_equal(rig.right.K, right.K)
        np.testing.assert_allclose(rig.T_left_right, se3.transform(np.eye(3), [0.12, 0, 0]), atol=1e-12)


def test_a_raw_pair_survives_the_way_through_camera_infos():
    left, right = (
        Camera(WIDTH, HEIGHT, np.diag([f, f, 1]), "equidistant", np.array([0.1, f / 1e4, 0, 0])) for f in (400, 380)
    )
    rig = StereoRig(right, se3.transform(se3.exp_rotation([0.05, -0.1, 0.02]), [0.11, -0.01, 0.02]))
    infos = infos_from_rig(left, rig)
    found = rig_from_infos(*infos, stereo_baseline(infos[0].p, infos[1].p), rectified=False)
    np.testing.assert_allclose(found.T_left_right, rig.T_left_right, atol=1e-12)
    np.testing.assert_allclose(found.right.K, right.K)
    np.testing.assert_allclose(found.right.distortion, right.distortion)
    np.testing.assert_allclose(camera_from_info(infos[0], rectified=False).K, left.K)
    # Who reads the same messages as a rectified pair gets ideal cameras with the intrinsics of the left one.
    assert rig_from_infos(*infos, 0.1, rectified=True).right.distortion_model == "none"


@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
def test_a_raw_camera_keeps_its_distortion(model):
    camera = Camera(WIDTH, HEIGHT, np.diag([400.0, 400, 1]), model, np.array([0.1, -0.2, 0.001, 0.002]))
    found = camera_from_info(info_from_camera(camera), rectified=False)
    assert found.distortion_model == model
    np.testing.assert_allclose(found.distortion, camera.distortion)


@pytest.mark.parametrize("rectified", [True, False])
def test_region_of_interest_and_binning(rectified):
    """A point of the scene, seen by the whole sensor, and in the middle of a region read out 2 x 2 pixels as one."""
    full = Camera(640, 480, np.array([[400.0, 0, 320], [0, 410, 240], [0, 0, 1]]))
    info = info_from_camera(full)
    info.binning_x = info.binning_y = 2
    info.roi = RegionOfInterest(x_offset=100, y_offset=60, width=400, height=300)
    camera = camera_from_info(info, rectified=rectified)
    assert (camera.width, camera.height) == (200, 150)
    # The outer corners of the region are those of its images.
    corners = np.array([[99.5, 59.5], [499.5, 359.5]])
    np.testing.assert_allclose(camera.normalize([[-0.5, -0.5], [199.5, 149.5]]), full.normalize(corners))


def test_a_region_of_interest_outside_the_calibration_is_refused():
    """Width and height are those of the region, K is that of the whole sensor."""
    info = info_from_camera(Camera(320, 240, np.array([[400.0, 0, 320], [0, 400, 240], [0, 0, 1]])))
    info.roi = RegionOfInterest(x_offset=160, y_offset=120, width=320, height=240)
    with pytest.raises(CameraError, match=r"roi.*not inside the 320x240"):
        camera_from_info(info, rectified=False)


def test_an_empty_camera_info_is_refused():
    with pytest.raises(CameraError, match="calibrate"):
        camera_from_info(CameraInfo(width=WIDTH, height=HEIGHT), rectified=True)
