"""Messages as drivers fill them: incomplete calibrations, wrong byte order, wrong encodings."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image

from loftr_ros.messages.camera_info import camera_from_info, rig_from_infos
from loftr_ros.messages.image_decoding import ImageError, depth_from_image, gray_from_image, looks_swapped
from loftr_ros.odometry.geometry.camera import CameraError
from loftr_ros.ros.messages.conversions import image_from_array
from loftr_ros.ros.transforms.baseline import Baseline

K = [50.0, 0, 31, 0, 50, 23, 0, 0, 1]


class NoTf:
    """No transforms."""

    def listen(self, _user: object) -> None:
        """Ignore."""

    def find(self, _target: str, _source: str) -> None:
        """Return None."""


def info(**fields: object) -> CameraInfo:
    """A calibration of an unrectified camera: K only."""
    message = CameraInfo(width=64, height=48)
    message.k = np.array(K, float)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def projection(focal: float = 50.0, tx: float = 0.0, ty: float = 0.0) -> np.ndarray:
    return np.array([focal, 0, 31, tx, 0, focal, 23, ty, 0, 0, 1, 0])


@pytest.mark.parametrize("rectified", [True, False])
def test_k_alone_calibrates_an_undistorted_camera(rectified: bool) -> None:
    assert camera_from_info(info(), rectified=rectified).focal == 50
    if rectified:
        with pytest.raises(CameraError, match="P of the camera info is empty"):
            camera_from_info(info(d=[0.1, 0.0, 0.0, 0.0, 0.0], distortion_model="plumb_bob"), rectified=True)


def test_p_alone_hints_at_rectified_images() -> None:
    with pytest.raises(CameraError, match="P is not: set rectified to true"):
        camera_from_info(info(k=np.zeros(9), p=projection()), rectified=False)


def test_an_empty_r_is_no_rotation() -> None:
    rig = rig_from_infos(info(), info(), 0.1, rectified=False)
    np.testing.assert_array_equal(rig.T_left_right[:3], np.c_[np.eye(3), [0.1, 0, 0]])


def test_a_raw_pair_with_two_focal_lengths_in_p_is_refused() -> None:
    with pytest.raises(CameraError, match="50 for the left and 60 for the right"):
        rig_from_infos(info(p=projection()), info(p=projection(60, -6)), 0.1, rectified=False)


def test_a_vertical_pair_is_refused_by_name() -> None:
    baseline = Baseline(NoTf(), 0.1)  # type: ignore[arg-type]
    with pytest.raises(CameraError, match="the pair is vertical"):
        baseline.of(info(p=projection()), info(p=projection(ty=-5.0)))
    assert baseline.of(info(p=projection()), info(p=projection(ty=0.01))) == 0.1


@pytest.mark.parametrize("kind", ["image", "depth"])
@pytest.mark.parametrize("bits", [12, 16])
def test_swapped_bytes_are_recognized(kind: str, bits: int) -> None:
    v, u = np.mgrid[:48, :64]
    counts = 1500 + 20 * u + 3 * v + 400 * (u > 30) if kind == "depth" else 90 + 60 * np.sin(u / 5) * np.cos(v / 7)
    noise = np.random.default_rng(0).normal(0, 2, counts.shape)
    scale = 1 if kind == "depth" else 2 ** (bits - 8)
    image = ((counts + noise) * scale).astype(np.uint16)
    right, swapped = image_from_array(image), image_from_array(image.byteswap())
    assert [looks_swapped(right), looks_swapped(swapped)] == [False, True]
    swapped.is_bigendian = 1 - swapped.is_bigendian
    assert not looks_swapped(swapped)


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e3])
@pytest.mark.parametrize("rest", [0.0, np.nan, np.inf])
def test_swapped_bytes_of_metric_depth_are_recognized(unit: float, rest: float) -> None:
    v, u = np.mgrid[:48, :64]
    depth = (unit * np.where(u > 50, rest, np.round(1.5 + 0.02 * u + 0.003 * v, 2))).astype(np.float32)
    right, swapped = image_from_array(depth), image_from_array(depth.byteswap())
    assert [looks_swapped(right), looks_swapped(swapped)] == [False, True]


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1.0, 2.5, -1.0])
def test_metric_depth_of_one_value_is_as_it_says(value: float) -> None:
    assert not looks_swapped(image_from_array(np.full((48, 64), value, np.float32)))


@pytest.mark.parametrize("image", [np.zeros((48, 64)), np.full((48, 64), 65535), np.eye(48, 64)])
def test_an_image_without_content_has_no_byte_order(image: np.ndarray) -> None:
    assert not looks_swapped(image_from_array(image.astype(np.uint16)))


@pytest.mark.parametrize(("channels", "wanted"), [(3, "3 bytes for each"), (4, "4 bytes for each")])
def test_color_images_that_are_called_gray_are_refused(channels: int, wanted: str) -> None:
    """Read as padding, the other bytes would leave a sheared third of the image."""
    message: Image = image_from_array(np.zeros((48, 64), np.uint8))
    message.step = 64 * channels
    message.data.frombytes(bytes(48 * 64 * (channels - 1)))
    with pytest.raises(ImageError, match=wanted):
        gray_from_image(message, "/image")


def photograph() -> np.ndarray:
    """A gray image with structure at many scales."""
    rng = np.random.default_rng(0)
    layers = [cv2.resize(rng.random((48 // size, 64 // size)), (64, 48)) for size in (1, 2, 4, 8)]
    image: np.ndarray = cv2.normalize(sum(layers), None, 0, 255, cv2.NORM_MINMAX)
    return image


@pytest.mark.parametrize("data", ["mono16", "times 257", "12 bits", "yuv422", "uyvy", "32 bits as 16"])
def test_pixels_of_two_bytes_that_are_called_gray_are_refused(data: str) -> None:
    """Read as padding, half of the image would be used, stretched and mixed with the other bytes."""
    levels = photograph()
    chroma = np.full(levels.shape, 120.0) + cv2.resize(levels[:8, :8], (64, 48)) / 20
    pairs = {
        "mono16": (257.1 * levels).astype("<u2").view(np.uint8),
        "times 257": (257 * levels.astype("<u2")).view(np.uint8),
        "12 bits": (16.1 * levels).astype("<u2").view(np.uint8),
        "yuv422": np.stack([levels, chroma], 2).astype(np.uint8),
        "uyvy": np.stack([chroma, levels], 2).astype(np.uint8),
        "32 bits as 16": (levels / 50 + 0.3).astype("<f4").view("<u2"),
    }[data].reshape(48, -1)
    message: Image = image_from_array(pairs)
    message.width = 64
    with pytest.raises(ImageError, match="2 bytes for each of theirs: set the encoding to that of the data"):
        (depth_from_image if data == "32 bits as 16" else gray_from_image)(message, "/image")


@pytest.mark.parametrize("image", [np.zeros((48, 64)), photograph(), np.where(photograph() > 128, 255.0, 0.0)])
def test_rows_of_twice_the_length_are_padding(image: np.ndarray) -> None:
    both = np.hstack([image, photograph()[:, ::-1]]).astype(np.uint8)
    message: Image = image_from_array(both)
    message.width = 64
    np.testing.assert_array_equal(gray_from_image(message, "/image"), both[:, :64])


def test_the_other_half_of_side_by_side_images_is_padding() -> None:
    both = np.hstack([cv2.resize(np.arange(256, dtype=np.uint8)[None], (64, 48))] * 2)
    message: Image = image_from_array(both)
    message.width = 64
    np.testing.assert_array_equal(gray_from_image(message, "/image"), both[:, :64])
