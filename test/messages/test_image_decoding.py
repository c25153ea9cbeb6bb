"""Every image encoding, raw and compressed, with real messages."""

import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from loftr_ros.messages import image_converter
from loftr_ros.messages.image_converter import find_converter
from loftr_ros.messages.image_decoding import (
    EncodingError,
    ImageError,
    depth_from_compressed,
    depth_from_image,
    gray_from_compressed,
    gray_from_image,
)
from loftr_ros.sequences.images import has_exif_rotation, read_gray

TOPIC = "/camera/image"

HEIGHT, WIDTH = 24, 34


@pytest.fixture(params=["rosbags", "cv_bridge"])
def converter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each library convert; cv_bridge is not among the wheels of ROS."""
    if request.param == "cv_bridge":
        pytest.importorskip("cv_bridge", reason="needs cv_bridge, which the wheels of ROS do not have")
    else:
        monkeypatch.setitem(sys.modules, "cv_bridge", None)
    monkeypatch.setattr(image_converter, "converter", find_converter)


def gray(image: Image) -> np.ndarray:
    return gray_from_image(image, TOPIC)


def ramp(dtype=np.uint8, channels=None) -> np.ndarray:
    """A smooth image, which survives Bayer patterns and chroma subsampling."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    gray = (40 + 3 * x + 2 * y).astype(dtype)
    return gray if channels is None else np.repeat(gray[..., None], channels, axis=2)


def message(array: np.ndarray, encoding: str, padding: int = 0, big_endian: bool = False) -> Image:
    rows = array.astype(array.dtype.newbyteorder(">" if big_endian else "<")).reshape(HEIGHT, -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    image = Image(height=HEIGHT, width=WIDTH, encoding=encoding, is_bigendian=int(big_endian), step=rows.shape[1])
    image.data.frombytes(rows.tobytes())
    return image


@pytest.mark.usefixtures("converter")
@pytest.mark.parametrize("padding", [0, 6, 5])
@pytest.mark.parametrize(
    ("encoding", "channels"),
    [("mono8", None), ("8UC1", None), ("rgb8", 3), ("bgr8", 3), ("8UC3", 3), ("rgba8", 4), ("bgra8", 4)],
)
def test_eight_bit_encodings(encoding, channels, padding):
    np.testing.assert_array_equal(gray(message(ramp(channels=channels), encoding, padding)), ramp())


@pytest.mark.parametrize(("encoding", "channels", "kind"), [("bgr8", 3, np.uint8), ("mono16", None, np.uint16)])
def test_either_library_gets_plain_rows_in_the_byte_order_of_this_machine(monkeypatch, encoding, channels, kind):
    """cv_bridge takes padded rows for longer ones, and cannot swap bytes with NumPy 2."""
    taken = []

    def convert(plain: SimpleNamespace, _: str) -> np.ndarray:
        taken.append(plain)
        return ramp()

    monkeypatch.setattr(image_converter, "converter", lambda: convert)
    array = ramp(kind, channels) + kind(7)
    gray(message(array, encoding, padding=5, big_endian=True))
    (plain,) = taken
    assert (plain.step, plain.is_bigendian) == (array[0].nbytes, sys.byteorder == "big")
    np.testing.assert_array_equal(plain.data, array.view(np.uint8).ravel())


@pytest.mark.usefixtures("converter")
def test_red_and_blue_are_not_swapped():
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[..., 0] = 255
    assert gray(message(red, "rgb8"))[0, 0] == 76
    assert gray(message(red, "bgr8"))[0, 0] == 29


@pytest.mark.usefixtures("converter")
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
def test_sixteen_bits_become_eight_in_either_byte_order(encoding, big_endian):
    array = ramp(np.uint16) * 256 + 200
    found = gray(message(array, encoding, big_endian=big_endian)).astype(int)
    expected = (array.astype(float) - 8192) / 40960 * 255  # 10440 to 47816 lie between 1 and 6 times 8192
    np.testing.assert_allclose(found, expected, atol=1)


@pytest.mark.usefixtures("converter")
@pytest.mark.parametrize(("gain", "offset"), [(257, 0), (16, 0), (4, 0), (2, 7300)])
def test_sixteen_bits_look_alike_as_topic_compressed_topic_and_file(tmp_path, gain, offset):
    """Full range, 12 bits, 10 bits and a thermal camera of 14."""
    array = ramp(np.uint16) * np.uint16(gain) + np.uint16(offset)
    found = gray(message(array, "mono16"))
    assert found.dtype == np.uint8
    assert np.ptp(found) > 120
    png = cv2.imencode(".png", array)[1].tobytes()
    (tmp_path / "image.png").write_bytes(png)
    np.testing.assert_array_equal(gray_from_compressed(compressed(png, "mono16; png compressed"), TOPIC), found)
    np.testing.assert_array_equal(read_gray(tmp_path / "image.png"), found)


def test_exif_orientation_is_ignored_in_topics_and_files(tmp_path):
    """A JPEG that asks to be turned by 180 degrees."""
    jpeg = cv2.imencode(".jpg", ramp())[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    (tmp_path / "plain.jpg").write_bytes(jpeg)
    (tmp_path / "turned.jpg").write_bytes(turned)
    assert not has_exif_rotation(tmp_path / "plain.jpg")
    assert has_exif_rotation(tmp_path / "turned.jpg")
    np.testing.assert_array_equal(read_gray(tmp_path / "turned.jpg"), read_gray(tmp_path / "plain.jpg"))
    np.testing.assert_array_equal(
        gray_from_compressed(compressed(turned, "jpeg"), TOPIC), read_gray(tmp_path / "turned.jpg")
    )


@pytest.mark.usefixtures("converter")
@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv_gives_its_luminance(encoding):
    luminance_first = encoding in {"yuv422_yuy2", "yuyv"}
    array = np.full((HEIGHT, WIDTH, 2), 128, np.uint8)
    array[..., 0 if luminance_first else 1] = ramp()
    np.testing.assert_array_equal(gray(message(array, encoding)), ramp())


# The color of the four pixels of a pattern's tile, row by row.
@pytest.mark.usefixtures("converter")
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_know_their_colors(pattern):
    """A red scene is darker than a green one of the same raw brightness, wherever the pattern starts."""
    tiles = {color: np.array([[c == color for c in pattern[:2]], [c == color for c in pattern[2:]]]) for color in "rgb"}
    for color, brightness in (("r", 76), ("g", 150), ("b", 29)):
        raw = np.tile(tiles[color], (HEIGHT // 2, WIDTH // 2)).astype(np.uint8) * 255
        found = gray(message(raw, f"bayer_{pattern}8"))
        np.testing.assert_allclose(found[4:-4, 4:-4], brightness, atol=2)


def test_an_unknown_encoding_is_named_with_its_topic_and_what_is_accepted():
    with pytest.raises(ImageError, match=r"on /camera/image have the encoding '32FC1': publish one of .*, mono8, "):
        gray(message(ramp(), "32FC1"))


@pytest.mark.usefixtures("converter")
@pytest.mark.parametrize(
    "change", [{"height": HEIGHT + 1}, {"step": WIDTH - 1}, {"height": 0}, {"width": 0}, {"data": [1, 2]}]
)
def test_a_message_that_does_not_hold_what_it_says_is_refused(change):
    image = message(ramp(), "mono8")
    for name, value in change.items():
        setattr(image, name, value)
    with pytest.raises(ImageError, match="the driver"):
        gray(image)


@pytest.mark.usefixtures("converter")
def test_the_gray_image_is_fit_for_opencv_and_torch():
    found = gray(message(ramp(), "mono8", padding=6))
    assert found.flags.c_contiguous
    cv2.GaussianBlur(found, (3, 3), 0)


@pytest.mark.usefixtures("converter")
@pytest.mark.parametrize("converter", ["rosbags"], indirect=True)
def test_a_gray_image_is_not_copied():
    image = message(ramp(), "mono8")
    assert np.shares_memory(gray(image), np.frombuffer(image.data, np.uint8))


def compressed(data: bytes, form: str) -> CompressedImage:
    image = CompressedImage(format=form)
    image.data.frombytes(data)
    return image


@pytest.mark.parametrize("kind", [".jpg", ".png"])
@pytest.mark.parametrize("channels", [None, 3])
def test_compressed_images_are_decoded(kind, channels):
    data = cv2.imencode(kind, ramp(channels=channels))[1].tobytes()
    found = gray_from_compressed(compressed(data, f"bgr8; {kind[1:]} compressed bgr8"), TOPIC)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found.astype(int), ramp(), atol=0 if kind == ".png" else 4)


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_what_cannot_be_decoded_is_refused(data):
    with pytest.raises(ImageError, match=f"on {TOPIC} of {len(data)} bytes, format 'jpeg', cannot be decoded"):
        gray_from_compressed(compressed(data, "jpeg"), TOPIC)


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_cut_compressed_image_is_refused(kind):
    data = cv2.imencode(f".{kind}", ramp())[1].tobytes()
    with pytest.raises(ImageError, match=f"on {TOPIC} .* cannot be decoded: it ends early"):
        gray_from_compressed(compressed(data[: len(data) * 4 // 5], kind), TOPIC)
    with pytest.raises(ImageError, match=f"on {TOPIC} .* cannot be decoded: it ends early"):
        depth_from_compressed(compressed(bytes(12) + data[:-20], "16UC1; compressedDepth png"), TOPIC)


@pytest.mark.usefixtures("converter")
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("padding", [0, 8])
def test_depth_is_in_meters(big_endian, padding):
    meters = ramp(np.float32) / 100
    meters[0, :2] = np.nan, 0
    found = depth_from_image(message(meters, "32FC1", padding, big_endian), TOPIC)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, meters)
    millimeters = ramp(np.uint16) * 10
    found = depth_from_image(message(millimeters, "16UC1", padding, big_endian), TOPIC)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, millimeters / 1000, rtol=1e-6)
    found = depth_from_image(message(millimeters, "16UC1", padding, big_endian), TOPIC, meters_per_count=2e-4)
    np.testing.assert_allclose(found, millimeters / 5000, rtol=1e-6)


def test_saturated_depth_is_unknown():
    counts = np.resize(np.array([1000, 65535, 0, 65534], np.uint16), (HEIGHT, WIDTH))
    meters = np.where(counts == 65535, 0, counts / 1000)
    np.testing.assert_allclose(depth_from_image(message(counts, "16UC1"), TOPIC), meters, rtol=1e-6)
    packed = compressed(bytes(12) + cv2.imencode(".png", counts)[1].tobytes(), "16UC1; compressedDepth png")
    np.testing.assert_allclose(depth_from_compressed(packed, TOPIC), meters, rtol=1e-6)


def test_an_image_is_no_depth():
    with pytest.raises(ImageError, match="'rgb8': publish one of 16UC1, 32FC1, mono16"):
        depth_from_image(message(ramp(channels=3), "rgb8"), TOPIC)


def test_compressed_depth_in_millimeters():
    millimeters = ramp(np.uint16) * 10
    millimeters[0, 0] = 0
    data = bytes(12) + cv2.imencode(".png", millimeters)[1].tobytes()
    image = compressed(data, "16UC1; compressedDepth png")
    np.testing.assert_allclose(depth_from_compressed(image, TOPIC), millimeters / 1000, rtol=1e-6)
    np.testing.assert_allclose(
        depth_from_compressed(image, TOPIC, meters_per_count=2e-4), millimeters / 5000, rtol=1e-6
    )


def test_compressed_depth_in_meters():
    """The plugin quantizes 1 / depth: fine near, coarse far."""
    meters = ramp(np.float32) / 50
    a = 100.0 * 101.0
    b = 1.0 - a / 10.0
    stored = np.rint(a / meters + b).astype(np.uint16)
    stored[0, 0] = 0
    header = np.array([0], "<i4").tobytes() + np.array([a, b], "<f4").tobytes()
    data = header + cv2.imencode(".png", stored)[1].tobytes()
    found = depth_from_compressed(compressed(data, "32FC1; compressedDepth"), TOPIC)
    assert found[0, 0] == 0
    np.testing.assert_allclose(found.ravel()[1:], meters.ravel()[1:], rtol=1e-3)


@pytest.mark.parametrize("form", ["16UC1; compressedDepth rvl", "bgr8; jpeg compressed bgr8", "8UC1; compressedDepth"])
def test_other_compressed_depth_is_refused(form):
    with pytest.raises(ImageError, match="publish 16UC1 or 32FC1 by compressedDepth, as png"):
        depth_from_compressed(compressed(bytes(40), form), TOPIC)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
@pytest.mark.parametrize(
    ("kind", "dtype", "reason"),
    [
        (".png", np.uint8, "uint8, which is too coarse for depths: publish 16 bits"),
        (".jpg", np.uint8, "uint8, which is too coarse for depths: publish 16 bits"),
        (".tif", np.float32, "float32: publish 16 bits"),
        (".tif", np.int16, "int16: publish 16 bits"),
    ],
)
def test_compressed_depth_of_other_than_16_bits_is_refused(encoding, kind, dtype, reason):
    """Eight bits would be read as depths below 26 cm."""
    data = bytes(12) + cv2.imencode(kind, ramp().astype(dtype))[1].tobytes()
    with pytest.raises(EncodingError, match=f"on {TOPIC} hold depth in pixels of type {reason}"):
        depth_from_compressed(compressed(data, f"{encoding}; compressedDepth png"), TOPIC)


@pytest.mark.filterwarnings("error")
def test_a_pixel_at_infinity_is_unknown():
    header = np.array([0], "<i4").tobytes() + np.array([100.0, 1.0], "<f4").tobytes()
    stored = np.tile(np.array([0, 1, 2, 101], np.uint16), (HEIGHT, 1))
    data = header + cv2.imencode(".png", stored)[1].tobytes()
    found = depth_from_compressed(compressed(data, "32FC1; compressedDepth"), TOPIC)
    np.testing.assert_array_equal(found[0], [0, 0, 100, 1])
