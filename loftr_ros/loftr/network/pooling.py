"""Blocks of tokens: averaged for attention, and spread over all tokens again (as in arXiv 2403.04765, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

Grid = tuple[int, int]  # rows and columns of the tokens
Masks = tuple[Tensor, Tensor]  # (B, L) and (B, S) bool: the tokens of both images to use


class Blocks:
    """The tokens of an image as blocks of side x side; those at the rim may be smaller.

    Attributes:
        mask: (B, K) bool, which of the K blocks hold a token to use; None for all.
    """

    def __init__(self, grid: Grid, side: int, device: torch.device, mask: Tensor | None = None) -> None:
        """Prepare for a grid of tokens.

        Args:
            grid: rows and columns of the tokens.
            side: of a block; with 1 every token is its own block.
            device: of the tokens.
            mask: (B, L) bool, tokens to use; an image without any is taken without a mask, so that nothing is averaged
                over nothing.
        """
        self.grid = grid
        self.side = side
        self.tokens = self.mask = None
        if side > 1:
            self.rows, self.columns = (_interpolation(size, side, device) for size in grid)
        if mask is not None:
            self.tokens = (mask | ~mask.any(dim=1, keepdim=True))[:, :, None]
            self.share = self._average(self.tokens.float())
            self.mask = self.share[:, :, 0] > 0
            self.reach = self._interpolate(self.mask[:, :, None].float()).clamp(min=1e-6)

    def pool(self, tokens: Tensor) -> Tensor:
        """Average the tokens (B, L, C) of each block that are to be used: (B, K, C)."""
        if self.tokens is None:
            return self._average(tokens)
        return self._average(tokens.masked_fill(~self.tokens, 0.0)) / self.share.clamp(min=1e-6)

    def spread(self, blocks: Tensor) -> Tensor:
        """Interpolate between the blocks (B, K, C) that are to be used, bilinearly: (B, L, C)."""
        if self.mask is None:
            return self._interpolate(blocks)
        return self._interpolate(blocks * self.mask[:, :, None]) / self.reach

    def _average(self, tokens: Tensor) -> Tensor:
        if self.side == 1:
            return tokens
        maps = tokens.unflatten(1, self.grid).permute(0, 3, 1, 2)  # a view, with the channels last in memory
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
    """(size, blocks) weights of linear interpolation between the centres of blocks, constant beyond the outer ones."""
    start = torch.arange(0, size, side, device=device)
    centre = (start + (start + side).clamp(max=size) - 1) / 2
    place = torch.arange(size, device=device)[:, None]
    passed = ((place - centre[:-1]) / centre.diff()).clamp(0, 1)  # how much of the way to the next centre
    return F.pad(passed, (1, 0), value=1.0) - F.pad(passed, (0, 1))
