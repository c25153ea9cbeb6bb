"""Every image encoding, with real messages."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image

from loftr_ros.odometry import se3
from loftr_ros.odometry.camera import Camera, CameraError
from loftr_ros.odometry.stereo_rig import StereoRig
from loftr_ros.ros.conversions import (
    ImageError,
    camera_from_info,
    grey_from_image,
    image_from_array,
    info_from_camera,
    infos_from_rig,
    rig_from_infos,
)

HEIGHT, WIDTH = 24, 34


def ramp(dtype=np.uint8, channels=None) -> np.ndarray:
    """A smooth image, which survives Bayer patterns and chroma subsampling."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    grey = (40 + 3 * x + 2 * y).astype(dtype)
    return grey if channels is None else np.repeat(grey[..., None], channels, axis=2)


def message(array: np.ndarray, encoding: str, padding: int = 0, big_endian: bool = False) -> Image:
    rows = array.astype(array.dtype.newbyteorder(">" if big_endian else "<")).reshape(HEIGHT, -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    image = Image(height=HEIGHT, width=WIDTH, encoding=encoding, is_bigendian=int(big_endian), step=rows.shape[1])
    image.data.frombytes(rows.tobytes())
    return image


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize(
    ("encoding", "channels"),
    [("mono8", None), ("8UC1", None), ("rgb8", 3), ("bgr8", 3), ("8UC3", 3), ("rgba8", 4), ("bgra8", 4)],
)
def test_eight_bit_encodings(encoding, channels, padding):
    np.testing.assert_array_equal(grey_from_image(message(ramp(channels=channels), encoding, padding)), ramp())


def test_red_and_blue_are_not_swapped():
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[..., 0] = 255
    assert grey_from_image(message(red, "rgb8"))[0, 0] == 76
    assert grey_from_image(message(red, "bgr8"))[0, 0] == 29


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
def test_sixteen_bits_keep_their_upper_eight_in_either_byte_order(encoding, big_endian):
    array = ramp(np.uint16) * 256 + 200
    np.testing.assert_array_equal(grey_from_image(message(array, encoding, big_endian=big_endian)), ramp())


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv_gives_its_luminance(encoding):
    luminance_first = encoding in {"yuv422_yuy2", "yuyv"}
    array = np.full((HEIGHT, WIDTH, 2), 128, np.uint8)
    array[..., 0 if luminance_first else 1] = ramp()
    np.testing.assert_array_equal(grey_from_image(message(array, encoding)), ramp())


# The colour of the four pixels of a pattern's tile, row by row.
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_know_their_colours(pattern):
    """A red scene is darker than a green one of the same raw brightness, wherever the pattern starts."""
    tiles = {
        colour: np.array([[c == colour for c in pattern[:2]], [c == colour for c in pattern[2:]]]) for colour in "rgb"
    }
    for colour, grey in (("r", 76), ("g", 150), ("b", 29)):
        raw = np.tile(tiles[colour], (HEIGHT // 2, WIDTH // 2)).astype(np.uint8) * 255
        found = grey_from_image(message(raw, f"bayer_{pattern}8"))
        np.testing.assert_allclose(found[4:-4, 4:-4], grey, atol=2)


def test_an_unknown_encoding_is_named():
    with pytest.raises(ImageError, match="'32FC1' is not supported"):
        grey_from_image(message(ramp(), "32FC1"))


@pytest.mark.parametrize("change", [{"height": HEIGHT + 1}, {"step": WIDTH - 1}, {"height": 0}, {"width": 0}])
def test_a_message_that_does_not_hold_what_it_says_is_refused(change):
    image = message(ramp(), "mono8")
    for name, value in change.items():
        setattr(image, name, value)
    with pytest.raises(ImageError, match="the driver"):
        grey_from_image(image)


def test_the_grey_image_is_fit_for_opencv_and_torch():
    grey = grey_from_image(message(ramp(), "mono8", padding=6))
    assert grey.flags.c_contiguous
    cv2.GaussianBlur(grey, (3, 3), 0)


@pytest.mark.parametrize("array", [ramp(), np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)])
def test_arrays_survive_the_way_through_a_message(array):
    image = image_from_array(array)
    assert image.step * image.height == len(image.data)
    expected = array if array.ndim == 2 else cv2.cvtColor(array, cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(grey_from_image(image), expected)


def test_a_stereo_pair_survives_the_way_through_camera_infos():
    K = np.array([[400.0, 0, 17], [0, 410, 12], [0, 0, 1]])
    camera = Camera(WIDTH, HEIGHT, K)
    infos = infos_from_rig(camera, StereoRig.rectified(camera, 0.12))
    for rectified in (True, False):
        found = rig_from_infos(*infos, rectified=rectified)
        np.testing.assert_allclose(camera_from_info(infos[0], rectified=rectified).K, K)
        np.testing.assert_allclose(found.right.K, K)
        np.testing.assert_allclose(found.T_left_right, se3.transform(np.eye(3), [0.12, 0, 0]))


def test_a_raw_pair_survives_the_way_through_camera_infos():
    left, right = (
        Camera(WIDTH, HEIGHT, np.diag([f, f, 1]), "equidistant", np.array([0.1, f / 1e4, 0, 0])) for f in (400, 380)
    )
    rig = StereoRig(right, se3.transform(se3.exp_rotation([0.05, -0.1, 0.02]), [0.11, -0.01, 0.02]))
    infos = infos_from_rig(left, rig)
    found = rig_from_infos(*infos, rectified=False)
    np.testing.assert_allclose(found.T_left_right, rig.T_left_right, atol=1e-12)
    np.testing.assert_allclose(found.right.K, right.K)
    np.testing.assert_allclose(found.right.distortion, right.distortion)
    np.testing.assert_allclose(camera_from_info(infos[0], rectified=False).K, left.K)
    # Who reads the same messages as a rectified pair gets ideal cameras with the intrinsics of the left one.
    assert rig_from_infos(*infos, rectified=True).right.distortion_model == "none"


@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
def test_a_raw_camera_keeps_its_distortion(model):
    camera = Camera(WIDTH, HEIGHT, np.diag([400.0, 400, 1]), model, np.array([0.1, -0.2, 0.001, 0.002]))
    found = camera_from_info(info_from_camera(camera), rectified=False)
    assert found.distortion_model == model
    np.testing.assert_allclose(found.distortion, camera.distortion)


def test_a_right_camera_without_baseline_is_refused():
    info = info_from_camera(Camera(WIDTH, HEIGHT, np.diag([400.0, 400, 1])))
    with pytest.raises(CameraError, match="no baseline"):
        rig_from_infos(info, info, rectified=True)


def test_an_empty_camera_info_is_refused():
    with pytest.raises(CameraError, match="calibrate"):
        camera_from_info(CameraInfo(width=WIDTH, height=HEIGHT), rectified=True)
