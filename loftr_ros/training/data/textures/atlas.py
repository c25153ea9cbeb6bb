"""Gray textures with mip levels, sampled without aliasing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 256  # texels of the finest level; the coarsest is a single texel


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
