"""Image files in, arrays out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import shortened
from loftr_ros.sequences.errors import SequenceError

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp")


def list_images(folder: Path) -> list[Path]:
    """Return the image files of a folder, by name. Raises SequenceError."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS)
    except OSError as error:
        raise SequenceError(f"The folder {folder} cannot be read: {error.strerror}.") from error


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W) uint8 grey. Raises SequenceError."""
    return np.asarray(_read(path, cv2.IMREAD_GRAYSCALE), np.uint8)


def read_depth(path: Path, units_per_metre: float) -> NDArray[np.float32]:
    """Read a depth image as (H, W) float32 metres, 0 where unknown. Raises SequenceError."""
    depth = _read(path, cv2.IMREAD_UNCHANGED)
    if depth.ndim != 2:
        raise SequenceError(f"{path} has {depth.shape[2]} channels; a depth image has one.")
    with np.errstate(over="ignore", invalid="ignore"):  # float images have NaN and infinity where nothing is known
        metres = np.asarray(depth / units_per_metre, np.float32)
    return np.where(np.isfinite(metres), metres, np.float32(0))


def _read(path: Path, flags: int) -> NDArray[Any]:
    # The file is opened by Python, which says why it cannot be, and decoded from memory.
    try:
        if path.exists() and not path.is_file():  # a pipe would never end
            raise SequenceError(f"{path} is no file.")
        data = path.read_bytes()
    except OSError as error:
        raise SequenceError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        image = None if not data or _is_cut_png(data) else cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise SequenceError(f"{path} cannot be decoded as an image: {shortened(error.err)}.") from error
    if image is None:
        raise SequenceError(f"{path} cannot be decoded as an image: it is damaged or incomplete.")
    return image


def _is_cut_png(data: bytes) -> bool:
    """Whether a chunk of a PNG is longer than the file: OpenCV would allocate gigabytes for it, if it says so."""
    if not data.startswith(_PNG_SIGNATURE):
        return False
    offset = len(_PNG_SIGNATURE)
    while offset + 8 <= len(data) and data[offset + 4 : offset + 8] != b"IEND":
        offset += 12 + int.from_bytes(data[offset : offset + 4], "big")  # length, type, content, checksum
    return offset + 8 > len(data)
