"""Textures from a folder of photos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from loftr_ros.errors import LoftrRosError
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.images import read_grey
from loftr_ros.training.data.textures.atlas import SIDE, TextureAtlas

SUFFIXES = {".jpg", ".jpeg", ".png"}


class TextureError(LoftrRosError):
    """A folder of photos that cannot be used."""


def photo_atlas(folder: Path) -> TextureAtlas:
    """Read all photos of a folder, cropped to their central square.

    Raises:
        TextureError: no photos, or one that cannot be decoded.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise TextureError(
            f"{folder} has no .jpg or .png photos: set the folder of photos in the training configuration"
        )
    return TextureAtlas.from_images(torch.from_numpy(np.stack([_read_square(path) for path in paths])))


def _read_square(path: Path) -> NDArray[np.uint8]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:  # fallback without Pillow, which is stricter about incomplete files
        return _read_square_by_opencv(path)
    try:
        with Image.open(path) as photo:
            square = photo.convert("L").crop(_central_square(*photo.size))
            return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.uint8)
    except (UnidentifiedImageError, OSError) as error:
        raise TextureError(f"{path} cannot be decoded as a photo ({error}): remove it from the folder") from error


def _read_square_by_opencv(path: Path) -> NDArray[np.uint8]:
    try:
        gray = read_grey(path)
    except SequenceError as error:
        raise TextureError(f"{error} Remove it from the folder of photos.") from error
    left, top, right, bottom = _central_square(gray.shape[1], gray.shape[0])
    square = cv2.resize(gray[top:bottom, left:right], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(square, np.uint8)


def _central_square(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the central square, pixels."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
