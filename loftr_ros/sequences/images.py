"""Image files in, arrays out."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros import encoded_image
from loftr_ros.errors import shortened
from loftr_ros.odometry.images.depth_counts import without_saturated
from loftr_ros.odometry.images.gray_levels import to_eight_bits
from loftr_ros.sequences.errors import DamagedImageError, SequenceError

_SAME_FORMAT = {".jpeg": ".jpg", ".tiff": ".tif"}
_CAMERAS = (
    re.compile(r"[A-Za-z]+[-_]?(?P<camera>[0-9]{1,2})[^0-9]+(?P<number>[0-9]+(?:\.[0-9]+)?)[^0-9]*"),  # cam0_0001
    re.compile(r"[^0-9]*(?P<number>[0-9]+(?:\.[0-9]+)?)[^0-9.]+(?P<camera>[0-9]{1,2})"),  # 0001_0, 0001_cam0
)
MAX_CAMERAS = 4

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp")


def list_images(folder: Path) -> list[Path]:
    """Return the image files of a folder, by name, without hidden ones such as ._a.png. Raises SequenceError."""
    try:
        return sorted(p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and not p.name.startswith("."))
    except OSError as error:
        raise SequenceError(f"The folder {folder} cannot be read: {error.strerror}.") from error


def list_one_kind(folder: Path) -> list[Path]:
    """Return the image files of a folder, by name, which differ in numbers only.

    Raises:
        SequenceError: there are none; or some are of another kind, such as depth, another camera or a mask.
    """
    images = list_images(folder)
    if not images:
        raise SequenceError(f"{folder} holds no images.")
    cameras = _cameras([image.stem for image in images])
    kind_of = {image: (_kind(image), camera) for image, camera in zip(images, cameras, strict=True)}
    kinds = Counter(kind_of.values())
    if len(kinds) > 1:
        (one, n), (other, m) = ((next(p.name for p in images if kind_of[p] == k), n) for k, n in kinds.most_common(2))
        raise SequenceError(
            f"{folder} holds images of {len(kinds)} kinds, {n} such as {shortened(one, 60)} and {m} such as "
            f"{shortened(other, 60)}: leave those of one camera there, and nothing else."
        )
    return images


def _cameras(stems: list[str]) -> list[str]:
    """Return the number of the camera of each image, if the names have one: those of two cameras alternate in time."""
    for pattern in _CAMERAS:
        found = [match for match in map(pattern.fullmatch, stems) if match]
        cameras = [match["camera"] for match in found]
        if len(found) == len(stems) and 1 < len(set(cameras)) <= MAX_CAMERAS:
            ordered = [match["camera"] for match in sorted(found, key=lambda match: Decimal(match["number"]))]
            if 2 * sum(a != b for a, b in itertools.pairwise(ordered)) >= len(ordered) > 2:
                return cameras
    return [""] * len(stems)


def _kind(image: Path) -> tuple[str, str]:
    """Return what images of one camera have in common: the words of the name, and the format."""
    suffix = image.suffix.lower()
    return re.sub(r"[^a-z]+", " ", image.stem.lower()).strip(), _SAME_FORMAT.get(suffix, suffix)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W) uint8 gray; 16 bits are stretched by content. Raises SequenceError."""
    image = _read(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION)
    try:
        return to_eight_bits(image)
    except TypeError as error:
        raise SequenceError(f"{path} holds {error}: save it with 8 or 16 bits.") from error


def pixel_type(path: Path) -> np.dtype[Any]:
    """Return the type of the numbers in an image. Raises SequenceError."""
    return read_as_stored(path).dtype


def read_as_stored(path: Path) -> NDArray[Any]:
    """Return an image in its own type, (H, W) or (H, W, channels). Raises SequenceError."""
    return _read(path, cv2.IMREAD_UNCHANGED)


def is_turned(path: Path) -> bool:
    """Whether the EXIF data of a JPEG ask for its image to be turned. Raises SequenceError."""
    with _damage_of(path):
        return encoded_image.is_turned(_content(path))


def read_depth(path: Path, units_per_metre: float) -> NDArray[np.float32]:
    """Read a depth image as (H, W) float32 metres, 0 where unknown, as an integer at its largest value is, too.

    Args:
        path: image of integers, or of floating-point numbers, which are metres.
        units_per_metre: the counts of an integer image in a metre.

    Raises:
        SequenceError: it cannot be read, or has several channels or 8 bits.
    """
    depth = _read(path, cv2.IMREAD_UNCHANGED)
    if depth.ndim != 2:
        raise SequenceError(f"{path} has {depth.shape[2]} channels; a depth image has one.")
    if depth.dtype == np.uint8:
        raise SequenceError(
            f"{path} has 8 bits, which is too coarse for depths and has no unit: save depth images with 16 bits."
        )
    if depth.dtype.kind == "f":
        units_per_metre = 1.0
    else:
        depth = without_saturated(depth)
    with np.errstate(over="ignore", invalid="ignore"):  # float images have NaN and infinity where nothing is known
        metres = np.asarray(depth / units_per_metre, np.float32)
    return np.where(np.isfinite(metres), metres, np.float32(0))


def _read(path: Path, flags: int) -> NDArray[Any]:
    # The file is opened by Python, which says why it cannot be, and decoded from memory.
    with _damage_of(path):
        return encoded_image.decode(_content(path), flags)


def _content(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # a pipe would never end
        raise SequenceError(f"{path} is no file.")
    return path.read_bytes()


@contextmanager
def _damage_of(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into a DamagedImageError that names it."""
    try:
        yield
    except OSError as error:
        raise DamagedImageError(f"{path} cannot be read: {error.strerror}.") from error
    except encoded_image.DecodeError as error:
        raise DamagedImageError(f"{path} cannot be decoded as an image: {error}.") from error
