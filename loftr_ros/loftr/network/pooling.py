"""Pooling of tokens in blocks before attention, and upsampling after it (as in arXiv 2403.04765, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

Grid = tuple[int, int]  # rows and columns of tokens
Masks = tuple[Tensor, Tensor]  # (B, L) and (B, S) bool: tokens to use in both images


class Blocks:
    """Tokens of an image in blocks of side x side; blocks at the edge may be smaller.

    Attributes:
        mask: (B, K) bool, blocks with at least one token to use; None for all.
    """

    def __init__(self, grid: Grid, side: int, device: torch.device, mask: Tensor | None = None) -> None:
        """Prepare for a grid of tokens.

        Args:
            grid: rows and columns of the tokens.
            side: side of a block; with 1 every token is a block.
            device: device of the tokens.
            mask: (B, L) bool, tokens to use; ignored for an image without any, to avoid empty averages.
        """
        self.grid = grid
        self.side = side
        self.tokens = self.mask = None
        if side > 1:
            self.rows, self.columns = (_interpolation(size, side, device) for size in grid)
        if mask is not None:
            self.tokens = (mask | ~mask.any(dim=1, keepdim=True))[:, :, None]
            self.used_fraction = self._average(self.tokens.float())
            self.mask = self.used_fraction[:, :, 0] > 0
            self.upsampled_mask = self._interpolate(self.mask[:, :, None].float()).clamp(min=1e-6)

    def pool(self, tokens: Tensor) -> Tensor:
        """Average the used tokens (B, L, C) of each block: (B, K, C)."""
        if self.tokens is None:
            return self._average(tokens)
        return self._average(tokens.masked_fill(~self.tokens, 0.0)) / self.used_fraction.clamp(min=1e-6)

    def upsample(self, blocks: Tensor) -> Tensor:
        """Interpolate bilinearly between the used blocks (B, K, C): (B, L, C)."""
        if self.mask is None:
            return self._interpolate(blocks)
        return self._interpolate(blocks * self.mask[:, :, None]) / self.upsampled_mask

    def _average(self, tokens: Tensor) -> Tensor:
        if self.side == 1:
            return tokens
        maps = tokens.unflatten(1, self.grid).permute(0, 3, 1, 2)  # a channels_last view
        pooled = F.avg_pool2d(maps, self.side, ceil_mode=True, count_include_pad=False)
        return pooled.permute(0, 2, 3, 1).flatten(1, 2)

    def _interpolate(self, blocks: Tensor) -> Tensor:
        if self.side == 1:
            return blocks
        batch, _, channels = blocks.shape
        rows, columns = self.grid
        maps = self.columns @ blocks.reshape(batch, -1, self.columns.shape[1], channels)
        return (self.rows @ maps.flatten(2)).reshape(batch, rows * columns, channels)


def _interpolation(size: int, side: int, device: torch.device) -> Tensor:
    """(size, blocks) weights of linear interpolation between block centers, constant beyond the outer ones."""
    start = torch.arange(0, size, side, device=device)
    center = (start + (start + side).clamp(max=size) - 1) / 2
    place = torch.arange(size, device=device)[:, None]
    fraction = ((place - center[:-1]) / center.diff()).clamp(0, 1)  # of the way to the next center
    return F.pad(fraction, (1, 0), value=1.0) - F.pad(fraction, (0, 1))
