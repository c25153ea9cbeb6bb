"""Decodes JPEG, PNG and other images from memory; rejects truncated and oversized ones."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import shortened

# 268 million pixels: beyond any video camera, and 0.5 GiB at 16 bits. OpenCV allows 2**30.
MAX_PNG_PIXELS = 1 << 28
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_START_OF_SCAN = 0xDA
_MARKER_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # excludes restart markers and stuffed 0xff bytes


class DecodeError(Exception):
    """Bytes that cannot be decoded; the message is a clause with the reason."""


def decode(data: bytes, flags: int) -> NDArray[Any]:
    """Decode an image with OpenCV's `flags`.

    Checks what old decoders do not: they fill the rest of truncated images with gray or black, and allocate any size
    that a PNG claims.

    Raises:
        DecodeError: the image cannot be decoded, is truncated, or is a PNG of more than MAX_PNG_PIXELS.
    """
    if _is_truncated(data):
        raise DecodeError("it ends early, as a file that was not copied or written to its end")
    if (size := _png_size(data)) and size[0] * size[1] > MAX_PNG_PIXELS:
        raise DecodeError(f"it claims to have {size[0]}x{size[1]} pixels")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error as error:
        raise DecodeError(shortened(error.err)) from error
    if image is None:
        raise DecodeError(_why_none(data))
    return image


def _why_none(data: bytes) -> str:
    if data.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, to be replaced by the image (git lfs pull)"
    return "it is damaged or incomplete" if data else "it is empty"


def is_turned(data: bytes) -> bool:
    """Whether the EXIF orientation of a JPEG rotates its image. Raises DecodeError."""
    if not data.startswith(_JPEG_START):
        return False
    small = cv2.IMREAD_REDUCED_GRAYSCALE_8  # at 1/8 of the size, for speed
    stored, shown = (decode(data, small | flag) for flag in (cv2.IMREAD_IGNORE_ORIENTATION, 0))
    return not np.array_equal(stored, shown)


def _is_truncated(data: bytes) -> bool:
    if data.startswith(_PNG_SIGNATURE):
        return _is_truncated_png(data)
    ends = data[-64:].rstrip(b"\0").endswith(_JPEG_END)  # some cameras pad with zeros
    return data.startswith(_JPEG_START) and not ends and _is_truncated_jpeg(data)


def _is_truncated_png(data: bytes) -> bool:
    """Whether the IEND chunk is missing, or a chunk extends beyond the data."""
    offset = len(_PNG_SIGNATURE)
    while offset + 8 <= len(data) and data[offset + 4 : offset + 8] != b"IEND":
        offset += 12 + int.from_bytes(data[offset : offset + 4], "big")  # length, type, content, checksum
    return offset + 8 > len(data)


def _is_truncated_jpeg(data: bytes) -> bool:
    """Whether the chain of segments and scans does not reach the end marker, which other data may follow."""
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


def _png_size(data: bytes) -> tuple[int, int] | None:
    if not data.startswith(_PNG_SIGNATURE) or len(data) < 24:
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
