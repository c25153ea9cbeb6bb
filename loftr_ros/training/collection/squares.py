"""Decide whether an image makes a good texture, and cut gray squares from it."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Gray = NDArray[np.uint8]

UNREADABLE = (UnidentifiedImageError, OSError, ValueError, SyntaxError, NotImplementedError)
SMALLEST, LARGEST = 256, 512  # pixels, sides of a texture
MOST_SQUARES = 5  # of one large image
LARGE = 1400  # pixels: an image with a shorter side than this gives its central square only
MOST_PIXELS = 80_000_000
OPAQUE, LEAST_OPAQUE = 200, 0.99  # alpha, and the share of the pixels that must have it
CHECKED = 128  # pixels, the side at which structure is measured
LEAST_SPREAD = 10.0  # standard deviation of the gray values
LEAST_STRUCTURED = 0.5  # share of the 8 x 8 blocks whose fine detail has a standard deviation above
BLOCK_SPREAD = 2.0
COARSE = 4.0  # pixels: structure that survives a blur this wide is shading, not detail
MOST_FLAT = 0.3  # share of the most frequent gray value
GOOD_SPREAD, GOOD_MEANS, MOST_GAIN = 35.0, (95.0, 160.0), 2.5  # gray values
THUMB = 16  # pixels
SAME = 0.985  # correlation of thumbnails above which two squares show the same


def decode(data: bytes) -> Image.Image | None:
    """Decode an image of any usual format; None where it is damaged, too small, see-through, or a normal map."""
    try:
        image: Image.Image = Image.open(io.BytesIO(data))
        if min(image.size) < SMALLEST or image.size[0] * image.size[1] > MOST_PIXELS:
            return None
        image.draft("RGB", (2 * LARGE, 2 * LARGE))  # large JPEG files are decoded at a part of their size
        if image.mode in ("P", "LA", "RGBA", "PA"):
            image = image.convert("RGBA")
            opaque = sum(image.getchannel("A").histogram()[OPAQUE:])
            if opaque < LEAST_OPAQUE * image.size[0] * image.size[1]:
                return None
        image = image.convert("RGB")
    except (*UNREADABLE, Image.DecompressionBombError):
        return None
    return None if _is_normal_map(image) else image


def _is_normal_map(image: Image.Image) -> bool:
    red, green, blue = (
        np.asarray(image.resize((8, 8), Image.Resampling.NEAREST), dtype=float).reshape(-1, 3).mean(axis=0)
    )
    return blue > 190 and abs(red - 128) < 25 and abs(green - 128) < 25


def squares(image: Image.Image) -> list[Gray]:
    """Cut the central square, two of a long strip, and details of a large photo; only those with enough structure."""
    gray = image.convert("L")
    boxes = _boxes(*gray.size)
    cut = (_scaled(gray.crop(box)) for box in boxes)
    return [well_exposed(square) for square in cut if is_textured(square)]


def _boxes(width: int, height: int) -> list[tuple[int, int, int, int]]:
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    if max(width, height) >= 2 * side:
        ends = [(0, 0), (width - side, height - side)]
        return [(x, y, x + side, y + side) for x, y in ends]
    boxes = [(left, top, left + side, top + side)]
    if side >= LARGE:
        half = side // 2
        corners = [(0, 0), (width - half, 0), (0, height - half), (width - half, height - half)]
        boxes += [(x, y, x + half, y + half) for x, y in corners]
    return boxes[:MOST_SQUARES]


def _scaled(square: Image.Image) -> Gray:
    side = min(square.size[0], LARGEST)
    return np.asarray(square.resize((side, side), Image.Resampling.BOX), dtype=np.uint8)


def well_exposed(square: Gray) -> Gray:
    """Bring the gray values of dark, bright and flat squares nearer to the middle, as an automatic exposure does."""
    mean, spread = float(square.mean()), float(square.std())
    gain = min(max(1.0, GOOD_SPREAD / spread), MOST_GAIN)
    center = min(max(mean, GOOD_MEANS[0]), GOOD_MEANS[1])
    return np.clip((square - mean) * gain + center, 0, 255).round().astype(np.uint8)


def is_textured(square: Gray) -> bool:
    """Return whether gray values vary enough, and nearly everywhere."""
    small = cv2.resize(square, (CHECKED, CHECKED), interpolation=cv2.INTER_AREA)
    detail = small.astype(np.float32) - cv2.GaussianBlur(small.astype(np.float32), (0, 0), COARSE)
    blocks = detail.reshape(CHECKED // 8, 8, CHECKED // 8, 8).swapaxes(1, 2).reshape(-1, 64)
    structured = float(np.mean(blocks.std(axis=1) > BLOCK_SPREAD))
    flat = float(np.bincount(small.ravel(), minlength=256).max()) / small.size
    return float(small.std()) > LEAST_SPREAD and structured > LEAST_STRUCTURED and flat < MOST_FLAT


class Seen:
    """Squares taken so far, to leave out those that show the same once more."""

    def __init__(self) -> None:
        self._thumbs: list[NDArray[np.float32]] = []

    def add(self, square: Gray) -> bool:
        """Remember a square; False where one like it is there already, perhaps in other colors."""
        thumb = cv2.resize(square, (THUMB, THUMB), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
        thumb -= thumb.mean()
        thumb /= max(float(np.linalg.norm(thumb)), 1e-6)
        if self._thumbs and float(np.max(np.stack(self._thumbs) @ thumb)) > SAME:
            return False
        self._thumbs.append(thumb)
        return True
