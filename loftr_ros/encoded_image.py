"""Decodes JPEG, PNG and other images from memory; rejects truncated and oversized ones."""

from __future__ import annotations

import re
import struct
import warnings
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros import tiff_header
from loftr_ros.errors import shortened

# 268 million pixels: beyond any video camera, and 0.5 GiB at 16 bits. OpenCV allows 2**30.
MAX_PIXELS = 1 << 28
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by color type
_DEFLATE_RATIO = 1032  # largest expansion of zlib
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_JPEG_MAX_RATIO = 1024  # pixels per byte: at least one bit for each block of 64 pixels, and half of that to be sure
_START_OF_SCAN = 0xDA
_STARTS_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_HUFFMAN_FRAMES = (0xC0, 0xC1, 0xC2)  # arithmetic coding has no bound
_MARKER_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # excludes restart markers and stuffed 0xff bytes


class DecodeError(Exception):
    """Data that cannot be decoded; the message is a clause with the reason."""


def decode(data: bytes, flags: int) -> NDArray[Any]:
    """Decode an image.

    Rejects images that older decoders accept: truncated ones, whose rest they fill with gray or black, and headers of
    any size, for which they allocate memory.

    Args:
        data: content of the image file.
        flags: `cv2.IMREAD_...`.

    Raises:
        DecodeError: the image cannot be decoded, is truncated, or has more than MAX_PIXELS.
    """
    if _is_truncated(data):
        raise DecodeError("it ends early, as a file that was not copied or written to its end")
    size = claimed_size(data)
    if size is None:
        raise DecodeError(_failure_reason(data))
    if size[0] * size[1] > MAX_PIXELS:
        raise DecodeError(f"it claims to have {size[0]}x{size[1]} pixels")
    if not _may_hold_pixels(data):
        raise DecodeError("it is too short for its pixels")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error as error:
        raise DecodeError(shortened(error.err)) from error
    if image is None:
        raise DecodeError(_failure_reason(data))
    return image


def _failure_reason(data: bytes) -> str:
    if data.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, to be replaced by the image (git lfs pull)"
    return "it is damaged or incomplete" if data else "it is empty"


def has_exif_rotation(data: bytes) -> bool:
    """Return whether the EXIF orientation of a JPEG rotates its image. Raises DecodeError."""
    if not data.startswith(_JPEG_START):
        return False
    small = cv2.IMREAD_REDUCED_GRAYSCALE_8  # at 1/8 of the size, for speed
    stored, shown = (decode(data, small | flag) for flag in (cv2.IMREAD_IGNORE_ORIENTATION, 0))
    return not np.array_equal(stored, shown)


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height by the header of a PNG, JPEG or other image; None if there is none."""
    if data.startswith(_PNG_SIGNATURE):
        return (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) if len(data) >= 24 else None
    if data.startswith(_JPEG_START):
        return found[1:] if (found := _jpeg_frame(data)) else None
    if data.startswith(tiff_header.STARTS):
        return (tiff.width, tiff.height) if (tiff := tiff_header.tiff_header(data)) else None
    from PIL import Image  # deferred: PNG and JPEG do without

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns from a third of the limit on
            return Image.open(BytesIO(data)).size  # reads the header only
    except Image.DecompressionBombError:
        return MAX_PIXELS, MAX_PIXELS
    except Exception:  # of a damaged header, nearly any
        return None


def _is_truncated(data: bytes) -> bool:
    if data.startswith(_PNG_SIGNATURE):
        return _is_truncated_png(data)
    ends = data[-64:].rstrip(b"\0").endswith(_JPEG_END)  # some cameras pad with zeros
    return data.startswith(_JPEG_START) and not ends and _is_truncated_jpeg(data)


def _is_truncated_png(data: bytes) -> bool:
    """Return whether the IEND chunk is missing, or a chunk extends beyond the data."""
    offset = len(_PNG_SIGNATURE)
    while offset + 8 <= len(data) and data[offset + 4 : offset + 8] != b"IEND":
        offset += 12 + int.from_bytes(data[offset : offset + 4], "big")  # length, type, content, checksum
    return offset + 8 > len(data)


def _is_truncated_jpeg(data: bytes) -> bool:
    """Return whether the chain of segments and scans ends before the end marker (data may follow the marker)."""
    offset = 2
    while offset + 4 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker == _JPEG_END[1]:
            return False
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
        if marker == _START_OF_SCAN:
            found = _MARKER_AFTER_SCAN.search(data, offset)
            offset = found.start() if found else len(data)
    return not data.startswith(_JPEG_END, offset)


def _jpeg_frame(data: bytes) -> tuple[int, int, int] | None:
    """Return kind, width and height by the start of the frame, which is among the segments before the first scan."""
    offset = 2
    while offset + 9 <= len(data) and data[offset] == 0xFF and data[offset + 1] != _START_OF_SCAN:
        if data[offset + 1] in _STARTS_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, offset + 5)
            return data[offset + 1], width, height
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    return None


def _may_hold_pixels(data: bytes) -> bool:
    """Return whether the data may expand to the pixels of the header.

    Else the memory for them is allocated in vain: a PNG of 71 bytes would take 2 GiB.
    """
    if data.startswith(_PNG_SIGNATURE):
        return _png_may_hold_pixels(data)
    if data.startswith(_JPEG_START):
        kind, width, height = _jpeg_frame(data) or (0, 0, 0)
        return kind not in _HUFFMAN_FRAMES or width * height <= _JPEG_MAX_RATIO * len(data)
    tiff = tiff_header.tiff_header(data) if data.startswith(tiff_header.STARTS) else None
    return tiff is None or tiff.may_be_in(len(data))


def _png_may_hold_pixels(data: bytes) -> bool:
    width, height = claimed_size(data) or (0, 0)
    bits = data[24] * _PNG_CHANNELS.get(data[25], 1) if len(data) > 25 else 1
    compressed, offset = 0, len(_PNG_SIGNATURE)
    while offset + 8 <= len(data):
        length = int.from_bytes(data[offset : offset + 4], "big")
        compressed += length if data[offset + 4 : offset + 8] == b"IDAT" else 0
        offset += 12 + length
    return width * height * bits // 8 <= _DEFLATE_RATIO * compressed
