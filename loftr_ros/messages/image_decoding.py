"""Image messages, raw or compressed, decoded to 8-bit gray images and to depth in meters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.encoded_image import DecodeError, claimed_size, decode
from loftr_ros.errors import LoftrRosError, quoted
from loftr_ros.messages import image_converter
from loftr_ros.odometry.images.depth_counts import without_saturated
from loftr_ros.odometry.images.gray_levels import to_eight_bits

# Messages of rclpy or of rosbags: both have the same fields.
Image: TypeAlias = Any
CompressedImage: TypeAlias = Any

# Encodings without color names, and recent names that older versions of the libraries do not have.
_SAME_AS = {"8UC1": "mono8", "8UC3": "bgr8", "16UC1": "mono16", "uyvy": "yuv422", "yuyv": "yuv422_yuy2"}
_GRAY = (
    *("mono8", "mono16", "rgb8", "bgr8", "rgba8", "bgra8", "yuv422", "yuv422_yuy2"),
    *("bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"),
    *_SAME_AS,
)
# Bytes per pixel, and per number where those are longer than one.
_PIXEL_BYTES = {"mono16": 2, "rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "yuv422": 2, "yuv422_yuy2": 2, "32FC1": 4}
_NUMBER_BYTES = {"mono16": 2, "32FC1": 4}
SIXTEEN_BITS = ("mono16", "16UC1")
# Roughness of an image with swapped bytes relative to the image as it is, below which is_bigendian is wrong, and the
# row stride. Images and depth in the right order: above 3; in the wrong one: below 0.3.
_SWAPPED_RATIO, _ORDER_STRIDE = 0.5, 8
# Even and odd numbers of a row of one kind: the difference of their means is a smaller share of their standard
# deviation, and the ratio of those larger. Recorded images (151): 0.01 and 0.99; luma and chroma are not of one kind.
_ALTERNATING_MEANS, _ALTERNATING_DEVIATIONS = 0.3, 0.7
# Meters between which floating-point depth lies; the bytes of most such numbers in the other order are outside.
_USUAL_DEPTHS = (1e-6, 1e6)
# Compressed images of more pixels than the camera has, by this factor, are not decoded, whose size shows what is wrong.
_MAX_SIZE_RATIO = 16
METERS_PER_COUNT = 1e-3  # of integer depth images, by REP-118; floating-point ones are in meters
# Header before the PNG of compressedDepth: a format, and the quantization (a, b) of floating-point depth.
_DEPTH_HEADER = np.dtype([("format", "<i4"), ("a", "<f4"), ("b", "<f4")])


class ImageError(LoftrRosError):
    """An image that cannot be decoded; the message names its topic, and its encoding or damage."""


class EncodingError(ImageError):
    """An image in an encoding that is not supported, as all others of its topic will be."""


def decoder(*, depth: bool, compressed: bool, meters_per_count: float) -> Callable[[Any, str], NDArray[Any]]:
    """Return the decoding of the messages of a topic: a function of the message, and of the topic for errors."""
    if depth:
        return partial(depth_from_compressed if compressed else depth_from_image, meters_per_count=meters_per_count)
    return gray_from_compressed if compressed else gray_from_image


def check_claimed_size(message: Any, topic: str, width: int, height: int) -> None:
    """Check a compressed image, before its memory is allocated, against the size of the camera.

    Raises:
        ImageError: the header claims far more pixels.
    """
    if not hasattr(message, "format"):
        return
    start = _DEPTH_HEADER.itemsize if "compressedDepth" in message.format else 0
    size = claimed_size(bytes(memoryview(message.data)[start:]))
    if size and size[0] * size[1] > _MAX_SIZE_RATIO * width * height:
        raise ImageError(
            f"an image on {topic} of {len(message.data)} bytes claims to have {size[0]}x{size[1]} pixels, but the "
            f"camera info {width}x{height}: fix what publishes it, or the calibration"
        )


def gray_from_image(message: Image, topic: str) -> NDArray[np.uint8]:
    """Return the (H, W) uint8 gray image of a message, without a copy of mono8; 16 bits are stretched by percentiles.

    Raises:
        ImageError: the encoding is not supported, or the data do not fit the header.
    """
    _check_encoding(message, topic, _GRAY)
    sixteen = message.encoding in SIXTEEN_BITS
    return to_eight_bits(_converted(message, topic, None if sixteen else "mono8"))


def gray_from_compressed(message: CompressedImage, topic: str) -> NDArray[np.uint8]:
    """Return the same of a JPEG or PNG. Raises ImageError."""
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        return to_eight_bits(_decoded(message, topic, 0, flags))
    except TypeError as error:
        raise EncodingError(f"images on {topic} hold {error}: publish 8 or 16 bits") from error


def depth_from_image(message: Image, topic: str, meters_per_count: float = METERS_PER_COUNT) -> NDArray[np.float32]:
    """Return (H, W) depth in meters of a message in counts (16UC1) or meters (32FC1).

    Unknown depth is 0 or not finite; a count of 65535 is unknown, too.

    Args:
        message: the image.
        topic: for errors.
        meters_per_count: of 16UC1.

    Raises:
        ImageError: the encoding is not supported, or the data do not fit the header.
    """
    _check_encoding(message, topic, (*SIXTEEN_BITS, "32FC1"))
    depth = _converted(message, topic, None)
    if message.encoding in SIXTEEN_BITS:
        return _meters(depth, meters_per_count)
    return np.asarray(depth, np.float32)


def depth_from_compressed(
    message: CompressedImage, topic: str, meters_per_count: float = METERS_PER_COUNT
) -> NDArray[np.float32]:
    """Return the same of a message of compressedDepth (image_transport) with PNG.

    Integer depth is stored in counts, floating-point depth as a / depth + b, with 0 for unknown.

    Raises:
        ImageError: it is compressed otherwise, or damaged.
    """
    encoding, _, how = message.format.partition(";")
    if encoding not in ("16UC1", "32FC1") or "compressedDepth" not in how or "rvl" in how.lower():
        raise EncodingError(
            f"images on {topic} have the format {quoted(message.format)}: publish 16UC1 or 32FC1 by "
            "compressedDepth, as png"
        )
    counts = _decoded(message, topic, _DEPTH_HEADER.itemsize, cv2.IMREAD_UNCHANGED)
    if counts.dtype != np.uint16:
        coarse = ", which is too coarse for depths" if counts.itemsize == 1 else ""
        raise EncodingError(
            f"images on {topic} hold depth in pixels of type {counts.dtype}{coarse}: publish 16 bits by "
            "compressedDepth, as png"
        )
    if encoding == "16UC1":
        return _meters(counts, meters_per_count)
    stored = counts.astype(np.float32)
    header = np.frombuffer(message.data, _DEPTH_HEADER, 1)[0]
    known = (stored > 0) & (stored != header["b"])
    return np.divide(header["a"], stored - header["b"], out=np.zeros_like(stored), where=known)


def stored_image(message: Any, topic: str, *, compressed: bool) -> NDArray[Any]:
    """Return an image, raw or compressed, with its stored data type and channels. Raises ImageError."""
    if not compressed:
        return _converted(message, topic, None)
    is_depth = "compressedDepth" in message.format
    if is_depth and message.format.startswith("32FC1"):
        return depth_from_compressed(message, topic)
    start = _DEPTH_HEADER.itemsize if is_depth else 0
    try:
        return decode(bytes(message.data)[start:], cv2.IMREAD_UNCHANGED)
    except DecodeError as error:
        raise ImageError(f"an image on {topic} cannot be decoded: {error}") from error


def _meters(counts: NDArray[Any], meters_per_count: float) -> NDArray[np.float32]:
    return np.asarray(without_saturated(counts) * np.float32(meters_per_count), np.float32)


def _check_encoding(message: Image, topic: str, accepted: tuple[str, ...]) -> None:
    if message.encoding not in accepted:
        raise EncodingError(
            f"images on {topic} have the encoding {quoted(message.encoding)}: publish one of "
            f"{', '.join(sorted(accepted))}"
        )


def looks_swapped(message: Image) -> bool:
    """Return whether the bytes of an image of 16 bits or floating point are in the other order.

    Swapped, 16 bits are far smoother, and more of the floating-point depths are usual ones.
    """
    if message.encoding not in (*SIXTEEN_BITS, "32FC1"):
        return False
    image = _converted(message, "", None)[::_ORDER_STRIDE]
    if message.encoding == "32FC1":
        depth = np.asarray(image, np.float32)
        return _usual_share(depth) < _SWAPPED_RATIO * _usual_share(depth.byteswap())
    counts = np.asarray(image, np.uint16)
    here, swapped = (_roughness(one) for one in (counts, counts.byteswap()))
    return swapped < _SWAPPED_RATIO * here


def _usual_share(depth: NDArray[np.float32]) -> float:
    """Return the share of the pixels whose depth is a usual one."""
    return float(((depth > _USUAL_DEPTHS[0]) & (depth < _USUAL_DEPTHS[1])).mean())


def _roughness(counts: NDArray[np.uint16]) -> float:
    """Return the mean difference of neighbors relative to the standard deviation: about 1.1 for noise."""
    values = counts[:, ::2].astype(np.float32), counts[:, 1::2].astype(np.float32)
    width = min(one.shape[1] for one in values)
    return float(np.abs(values[0][:, :width] - values[1][:, :width]).mean() / max(float(values[0].std()), 1.0))


def _converted(message: Image, topic: str, wanted: str | None) -> NDArray[Any]:
    """Convert an image by the library."""
    shape = message.height, message.width
    if more := _bytes_instead_of_one(message):
        raise ImageError(
            f"images on {topic} have the encoding {quoted(message.encoding)}, but a step of {message.step}, which is "
            f"{more} bytes for each of theirs: set the encoding to that of the data, such as "
            f"{'mono16 or yuv422' if more == 2 else 'rgb8'}"
        )
    try:
        image = image_converter.converter()(_plain(message), wanted) if min(shape) > 0 else None
    except image_converter.UnknownEncodingError as error:
        raise EncodingError(
            f"images on {topic} have the encoding {quoted(message.encoding)}, which is unknown: publish one of "
            f"{', '.join(sorted(_GRAY))}"
        ) from error
    except (TypeError, ValueError, cv2.error):  # too few bytes for the header
        image = None
    if image is None or image.shape[:2] != shape or (wanted and image.ndim != 2):
        raise ImageError(
            f"an image on {topic} is {message.width}x{message.height} {quoted(message.encoding)} by its header, but "
            f"has {len(message.data)} bytes with a step of {message.step}: fix the driver, which fills the message "
            "wrongly"
        )
    return image


def _bytes_instead_of_one(message: Image) -> int:
    """Return how many bytes there are for each by the encoding, if pixels are larger than that says; else 0."""
    row = _row_bytes(message)
    if row == 0:
        return 0
    if message.step in (3 * row, 4 * row):
        return int(message.step // row)
    return 2 if message.step == 2 * row and _alternates(message, row // message.width) else 0


def _alternates(message: Image, size: int) -> bool:
    """Return whether every second number of a row is of another kind, such as the high bytes of 16 bits, or luma.

    Else the longer rows are padding, or the other half of two images side by side.
    """
    if size not in (1, 2) or len(message.data) < message.height * message.step:
        return False
    rows = np.frombuffer(message.data, np.uint8)[: message.height * message.step].reshape(message.height, message.step)
    numbers = np.ascontiguousarray(rows[::_ORDER_STRIDE]).view(f"u{size}").astype(np.float64)
    even, odd = numbers[:, ::2], numbers[:, 1::2]
    largest, smallest = sorted((float(even.std()), float(odd.std())), reverse=True)
    differs = abs(float(even.mean() - odd.mean())) > _ALTERNATING_MEANS * largest
    is_doubled = largest > 0 and np.array_equal(even, odd)  # 8 bits that were made 16 by a factor of 257
    return differs or is_doubled or smallest < _ALTERNATING_DEVIATIONS * largest


def _row_bytes(message: Image) -> int:
    """Return the length of a row without padding."""
    return message.width * _PIXEL_BYTES.get(_SAME_AS.get(message.encoding, message.encoding), 1)


def _plain(message: Image) -> SimpleNamespace:
    """Return the message without row padding and in native byte order; it is copied only if needed.

    cv_bridge ignores padding that is no whole pixel, which shears the image, and cannot swap bytes with NumPy 2;
    rosbags-image ignores any padding.

    Raises:
        ValueError: the data do not fit the header.
    """
    encoding, row = _SAME_AS.get(message.encoding, message.encoding), _row_bytes(message)
    rows = np.frombuffer(message.data, np.uint8)[: message.height * message.step].reshape(message.height, message.step)
    data = np.ascontiguousarray(rows[:, :row]).ravel()
    if message.is_bigendian != (sys.byteorder == "big"):
        data = data.view(f"u{_NUMBER_BYTES.get(encoding, 1)}").byteswap().view(np.uint8)
    return SimpleNamespace(
        height=message.height,
        width=message.width,
        step=row,
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        data=data,
    )


def _decoded(message: CompressedImage, topic: str, start: int, flags: int) -> NDArray[Any]:
    """Decode the JPEG or PNG that starts at a byte of the data."""
    what = f"an image on {topic} of {len(message.data)} bytes, format {quoted(message.format)}, cannot be decoded"
    try:
        image = decode(bytes(message.data)[start:], flags)
    except DecodeError as error:
        raise ImageError(f"{what}: {error}; publish whole JPEG or PNG images") from error
    if image.ndim != 2:
        raise ImageError(f"{what}: it has {image.shape[2]} channels, and a depth image has one")
    return image
