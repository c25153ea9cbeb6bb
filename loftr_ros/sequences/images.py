"""Lists and decodes image files."""

from __future__ import annotations

import itertools
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

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
MAX_COPIES_SHARE = 0.2  # more are no copies, but stamps such as 0.5 and 1

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp")


class RecordedImage(ABC):
    """An image inside of a recording, such as a bag or a video, in the place of a file.

    Its methods raise SequenceError, and DamagedImageError if others of the recording may be valid.

    Attributes:
        name: of the image in the recording, for messages; as text it also names the recording.
        parent: the recording.
    """

    name: str
    parent: Path

    @abstractmethod
    def gray(self) -> NDArray[np.uint8]:
        """Return the (H, W) gray image; 16 bits are scaled to the range of the content."""

    @abstractmethod
    def depth(self, units_per_meter: float) -> NDArray[np.float32]:
        """Return (H, W) depth in meters, 0 where unknown, see `read_depth`."""

    @abstractmethod
    def as_stored(self) -> NDArray[Any]:
        """Return the image with its stored data type, (H, W) or (H, W, channels)."""

    def has_exif_rotation(self) -> bool:
        """Return whether an EXIF orientation rotates the image."""
        return False


@dataclass(frozen=True, eq=False)
class ImageFile(RecordedImage):
    """A file that is read in another way than images are."""

    path: Path

    @property
    def name(self) -> str:  # type: ignore[override]
        """File name."""
        return self.path.name

    @property
    def parent(self) -> Path:  # type: ignore[override]
        """Folder."""
        return self.path.parent

    def __str__(self) -> str:
        return str(self.path)


StoredImage: TypeAlias = Path | RecordedImage


def list_images(folder: Path) -> list[Path]:
    """Return the image files of a folder, sorted by name, without hidden ones such as ._a.png. Raises SequenceError."""
    try:
        return sorted(p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and not p.name.startswith("."))
    except OSError as error:
        raise SequenceError(f"The folder {folder} cannot be read: {error.strerror}.") from error


def list_camera_images(folder: Path) -> list[Path]:
    """Return the image files of a folder with images of a single camera, sorted by name.

    Raises:
        SequenceError: there are no images, or some of another kind, as depth, a mask or a second camera: names that
            differ in more than numbers, or formats.
    """
    images = list_images(folder)
    if not images:
        raise SequenceError(f"{folder} holds no images.")
    stems = [image.stem for image in images]
    marks = zip(images, _camera_numbers(stems), _copies(stems), strict=True)
    kind_of = {image: (_kind(image), camera, is_copy) for image, camera, is_copy in marks}
    kinds = Counter(kind_of.values())
    if len(kinds) > 1:
        (one, n), (other, m) = ((next(p.name for p in images if kind_of[p] == k), n) for k, n in kinds.most_common(2))
        raise SequenceError(
            f"{folder} holds images of {len(kinds)} kinds, {n} such as {shortened(one, 60)} and {m} such as "
            f"{shortened(other, 60)}: leave those of one camera there, and nothing else."
        )
    return images


def _camera_numbers(stems: list[str]) -> list[str]:
    """Return the camera number in each file name, else empty texts.

    A number is that of a camera if it alternates in order of time, as two cameras do.
    """
    for pattern in _CAMERAS:
        found = [match for match in map(pattern.fullmatch, stems) if match]
        cameras = [match["camera"] for match in found]
        if len(found) == len(stems) and 1 < len(set(cameras)) <= MAX_CAMERAS:
            ordered = [match["camera"] for match in sorted(found, key=lambda match: Decimal(match["number"]))]
            if 2 * sum(a != b for a, b in itertools.pairwise(ordered)) >= len(ordered) > 2:
                return cameras
    return [""] * len(stems)


def _copies(stems: list[str]) -> list[bool]:
    """Return for each file name whether it has more numbers than most, as copies do: 0003 (1) beside 0003."""
    counts = [len(re.findall(r"[0-9]+", stem)) for stem in stems]
    usual = Counter(counts).most_common(1)[0][0]
    more = [count > usual for count in counts]
    return more if 0 < sum(more) <= MAX_COPIES_SHARE * len(stems) else [False] * len(stems)


def _kind(image: Path) -> tuple[str, str]:
    """Return what is equal in all images of a camera: the words in the file name, and the format."""
    suffix = image.suffix.lower()
    return re.sub(r"[^a-z]+", " ", image.stem.lower()).strip(), _SAME_FORMAT.get(suffix, suffix)


def read_gray(path: StoredImage) -> NDArray[np.uint8]:
    """Read an image as (H, W) uint8 gray; 16 bits are scaled to the range of the content. Raises SequenceError."""
    if isinstance(path, RecordedImage):
        return path.gray()
    image = _read(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION)
    try:
        return to_eight_bits(image)
    except TypeError as error:
        raise SequenceError(f"{path} holds {error}: save it with 8 or 16 bits.") from error


def pixel_type(path: StoredImage) -> np.dtype[Any]:
    """Return the data type of the pixels of an image. Raises SequenceError."""
    return read_as_stored(path).dtype


def read_as_stored(path: StoredImage) -> NDArray[Any]:
    """Read an image with its stored data type, (H, W) or (H, W, channels). Raises SequenceError."""
    if isinstance(path, RecordedImage):
        return path.as_stored()
    return _read(path, cv2.IMREAD_UNCHANGED)


def has_exif_rotation(path: StoredImage) -> bool:
    """Return whether the EXIF orientation of a JPEG rotates its image. Raises SequenceError."""
    if isinstance(path, RecordedImage):
        return path.has_exif_rotation()
    with _as_damaged_image(path):
        return encoded_image.has_exif_rotation(_content(path))


def read_depth(path: StoredImage, units_per_meter: float) -> NDArray[np.float32]:
    """Read a depth image as (H, W) float32 meters, 0 where unknown, including integers at their largest value.

    Args:
        path: image of integers, or of floating-point numbers in meters.
        units_per_meter: counts of an integer image per meter.

    Raises:
        SequenceError: the file cannot be read, or has several channels or 8 bits.
    """
    if isinstance(path, RecordedImage):
        return path.depth(units_per_meter)
    depth = _read(path, cv2.IMREAD_UNCHANGED)
    if depth.ndim != 2:
        raise SequenceError(f"{path} has {depth.shape[2]} channels; a depth image has one.")
    if depth.dtype == np.uint8:
        raise SequenceError(
            f"{path} has 8 bits, which is too coarse for depths and has no unit: save depth images with 16 bits."
        )
    if depth.dtype.kind == "f":
        units_per_meter = 1.0
    else:
        depth = without_saturated(depth)
    return known_depth(depth, units_per_meter)


def known_depth(depth: NDArray[Any], units_per_meter: float) -> NDArray[np.float32]:
    """Return depth in meters, 0 for NaN and infinity, which mark unknown depth."""
    with np.errstate(over="ignore", invalid="ignore"):
        meters = np.asarray(depth / units_per_meter, np.float32)
    return np.where(np.isfinite(meters), meters, np.float32(0))


def _read(path: Path, flags: int) -> NDArray[Any]:
    # Read by Python, for a specific error message, and decoded from memory.
    with _as_damaged_image(path):
        return encoded_image.decode(_content(path), flags)


def _content(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # reading a pipe would block
        raise SequenceError(f"{path} is no file.")
    return path.read_bytes()


@contextmanager
def _as_damaged_image(path: Path) -> Iterator[None]:
    """Convert errors of reading and decoding to a DamagedImageError that names the file."""
    try:
        yield
    except OSError as error:
        raise DamagedImageError(f"{path} cannot be read: {error.strerror}.") from error
    except encoded_image.DecodeError as error:
        raise DamagedImageError(f"{path} cannot be decoded as an image: {error}.") from error
