"""Gray textures with mip levels: photos or procedural patterns, for rendering without aliasing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from loftr_ros.errors import LoftrRosError
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.images import read_grey
from loftr_ros.training.data.random import Draw

SIDE = 256  # texels of the finest level; the coarsest is a single texel
SUFFIXES = {".jpg", ".jpeg", ".png"}


class TextureError(LoftrRosError):
    """A folder of photos that cannot be used."""


@dataclass(frozen=True)
class TextureAtlas:
    """K square textures and their mip levels, flattened into one buffer.

    Attributes:
        texels: (sum over levels of K * side^2,) uint8.
        starts: index of the first texel of each level.
        count: K.
    """

    texels: Tensor
    starts: tuple[int, ...]
    count: int

    @classmethod
    def from_images(cls, images: Tensor) -> TextureAtlas:
        """Build the levels of (K, SIDE, SIDE) uint8 textures."""
        levels, starts, total = [], [], 0
        level = images
        while True:
            levels.append(level.flatten())
            starts.append(total)
            total += level.numel()
            if level.shape[1] == 1:
                return cls(torch.cat(levels), tuple(starts), len(images))
            level = F.avg_pool2d(level[:, None].float(), 2)[:, 0].round().to(torch.uint8)

    @classmethod
    def joined(cls, atlases: Sequence[TextureAtlas]) -> TextureAtlas:
        """Concatenate atlases."""
        return cls.from_images(torch.cat([atlas.texels[: atlas.starts[1]].view(-1, SIDE, SIDE) for atlas in atlases]))

    def to(self, device: torch.device) -> TextureAtlas:
        """Return the atlas on another device."""
        return TextureAtlas(self.texels.to(device), self.starts, self.count)

    def sample(self, texture: Tensor, uv: Tensor, texels_per_pixel: Tensor) -> Tensor:
        """Sample trilinearly, with repeating textures.

        Args:
            texture: (P,) int64, index of the texture.
            uv: (P, 2), texture coordinates; one unit is one repetition.
            texels_per_pixel: (P,) size of the pixel footprint on the finest level.

        Returns:
            (P,) float32 in [0, 1].
        """
        level = texels_per_pixel.clamp(1, SIDE).log2().clamp(max=len(self.starts) - 1.001)
        lower = level.floor()
        blend = level - lower
        lower = lower.long()
        fine, coarse = (self._bilinear(texture, uv, lower + step) for step in (0, 1))
        return (fine + blend * (coarse - fine)) / 255

    def _bilinear(self, texture: Tensor, uv: Tensor, level: Tensor) -> Tensor:
        side = SIDE >> level
        start = torch.tensor(self.starts, device=uv.device)[level] + texture * side**2
        position = uv * side[:, None] - 0.5
        corner = position.floor()
        weight = position - corner
        x0, y0 = corner.long().unbind(1)
        mask = side - 1  # wraps by &, as sides are powers of two
        x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
        x0, y0 = x0 & mask, y0 & mask

        def texel(x: Tensor, y: Tensor) -> Tensor:
            return self.texels[start + y * side + x].float()

        top = torch.lerp(texel(x0, y0), texel(x1, y0), weight[:, 0])
        low = torch.lerp(texel(x0, y1), texel(x1, y1), weight[:, 0])
        return torch.lerp(top, low, weight[:, 1])


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


def pattern_atlas(draw: Draw, count: int) -> TextureAtlas:
    """Make procedural textures: fractal noise, blobs, and tiles with random shades."""
    noise = _fractal_noise(draw, count)
    blobs = (noise > 0.1).float() * 0.6 + noise * 0.3
    cells = F.interpolate(draw.uniform(-1, 1, count, 1, 16, 16), (SIDE, SIDE), mode="nearest")[:, 0]
    tiles = 0.7 * cells + 0.4 * noise
    kind = draw.integers(3, count)[:, None, None]
    images = torch.where(kind == 0, noise, torch.where(kind == 1, blobs, tiles))
    low, high = images.amin((1, 2), keepdim=True), images.amax((1, 2), keepdim=True)
    return TextureAtlas.from_images(((images - low) / (high - low) * 255).to(torch.uint8))


def line_atlas(draw: Draw, count: int) -> TextureAtlas:
    """Make procedural surfaces of buildings: plain panels and tiles with thin seams, rails, frames, signs.

    They have low texture, long straight edges and repetition, which photos rarely have.
    """
    columns, rows = draw.integers(6, 2, count) + 1
    across, column = _seams(draw, columns)
    down, row = _seams(draw, rows)
    kind = draw.uniform(0, 1, count)  # panels have seams in both directions, boards and rails in one
    across = across * (kind < 0.75)[:, None]
    down = down * (kind > 0.15)[:, None]
    shades = draw.uniform(-0.5, 0.5, count, 8, 8) * draw.log_uniform(0.02, 0.5, count, 1, 1)
    index = torch.arange(count, device=draw.device)[:, None, None]
    gray = shades[index, row[:, :, None], column[:, None, :]]
    seams = torch.maximum(across[:, None, :], down[:, :, None])
    sign = torch.where(draw.chance(0.75, count, 1, 1), -1.0, 1.0)  # most seams are dark
    gray = gray + sign * seams * draw.uniform(0.2, 0.8, count, 1, 1) + _plates(draw, count)
    gray = gray + draw.log_uniform(0.003, 0.1, count, 1, 1) * _fractal_noise(draw, count)
    return TextureAtlas.from_images(((0.6 + 0.5 * gray).clamp(0, 1) * 255).to(torch.uint8))


def _seams(draw: Draw, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Lines between `cells` (K,) equal cells: their profile (K, SIDE), and the cell of each texel."""
    place = (torch.arange(SIDE, device=draw.device) / SIDE + draw.uniform(0, 1, len(cells), 1)) % 1 * cells[:, None]
    distance = (place - place.round()).abs() / cells[:, None] * SIDE  # texels
    half_width = draw.log_uniform(0.6, 5, len(cells), 1)
    return (1 + half_width - distance).clamp(0, 1), place.long()


def _plates(draw: Draw, count: int, plates: int = 4) -> Tensor:
    """Doors, frames and signs: a few rectangles with another shade, (count, SIDE, SIDE)."""
    total = torch.zeros(count, SIDE, SIDE, device=draw.device)
    steps = torch.arange(SIDE, device=draw.device) / SIDE
    for _ in range(plates):
        center = draw.uniform(0, 1, 2, count, 1)
        half = draw.log_uniform(0.02, 0.3, 2, count, 1)
        apart = half - (steps - center).abs()  # by axis; positive inside of the rectangle
        depth = torch.minimum(apart[0][:, None, :], apart[1][:, :, None]) * SIDE
        frame = draw.chance(0.3, count, 1, 1) & (depth > draw.uniform(2, 8, count, 1, 1))
        shade = draw.uniform(-1, 1, count, 1, 1) * draw.chance(0.35, count, 1, 1)
        total += shade * torch.where(frame, 0.0, depth.clamp(0, 1))
    return total


def _fractal_noise(draw: Draw, count: int) -> Tensor:
    """Octaves of periodic noise, which repeats seamlessly: (count, SIDE, SIDE)."""
    total = torch.zeros(count, SIDE, SIDE, device=draw.device)
    for octave in range(2, 8):
        grid = F.pad(draw.normal(count, 1, 2**octave, 2**octave), (1, 1, 1, 1), mode="circular")
        step = SIDE >> octave
        smooth = F.interpolate(grid, scale_factor=float(step), mode="bilinear")[:, 0, step:-step, step:-step]
        total += smooth * 0.6 ** (octave - 2)
    return total
