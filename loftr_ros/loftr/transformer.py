"""The local feature transformer: self and cross attention, interleaved (paper, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from loftr_ros.loftr.attention import full_attention, linear_attention
from loftr_ros.loftr.config import TransformerConfig

Grid = tuple[int, int]  # rows and columns of the tokens


class EncoderLayer(nn.Module):
    """Attention, then a feed-forward network on the token and its message; the names are those of the authors."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        dim = config.dim
        self.heads = config.heads
        self.pool = config.pool
        self.attention = linear_attention if config.attention == "linear" else full_attention
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.k_proj = nn.Linear(dim, dim, bias=False)
        self.v_proj = nn.Linear(dim, dim, bias=False)
        self.merge = nn.Linear(dim, dim, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(2 * dim, 2 * dim, bias=False), nn.ReLU(), nn.Linear(2 * dim, dim, bias=False)
        )
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor, source: Tensor, x_grid: Grid, source_grid: Grid) -> Tensor:
        """Update tokens x (B, L, C) with what they find in source (B, S, C)."""
        queries, keys = _pool(x, x_grid, self.pool), _pool(source, source_grid, self.pool)
        query, key, value = (self._split(t) for t in (self.q_proj(queries), self.k_proj(keys), self.v_proj(keys)))
        found = self.attention(query, key, value).transpose(1, 2).flatten(2)
        message = self.norm1(_unpool(self.merge(found), x_grid, self.pool))
        update: Tensor = self.norm2(self.mlp(torch.cat([x, message], dim=2)))
        return x + update

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)


def _pool(tokens: Tensor, grid: Grid, side: int) -> Tensor:
    """Average blocks of side x side tokens; blocks at the rim may be smaller."""
    if side == 1:
        return tokens
    maps = tokens.transpose(1, 2).unflatten(2, grid)
    return F.avg_pool2d(maps, side, ceil_mode=True, count_include_pad=False).flatten(2).transpose(1, 2)


def _unpool(tokens: Tensor, grid: Grid, side: int) -> Tensor:
    """Spread pooled tokens over the full grid, bilinearly."""
    if side == 1:
        return tokens
    pooled = (-(-grid[0] // side), -(-grid[1] // side))
    maps = F.interpolate(tokens.transpose(1, 2).unflatten(2, pooled), scale_factor=float(side), mode="bilinear")
    return maps[:, :, : grid[0], : grid[1]].flatten(2).transpose(1, 2)


class LocalFeatureTransformer(nn.Module):
    """Layers of self and cross attention between the tokens of two images."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.kinds = config.layers
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in config.layers)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, a: Tensor, b: Tensor, grid_a: Grid, grid_b: Grid) -> tuple[Tensor, Tensor]:
        """Transform the tokens of both images, (B, L, C) and (B, S, C).

        In a cross layer b attends to the already updated a, as in the authors' code.
        """
        for kind, layer in zip(self.kinds, self.layers, strict=True):
            if kind == "self":
                a, b = layer(a, a, grid_a, grid_a), layer(b, b, grid_b, grid_b)
            else:
                a = layer(a, b, grid_a, grid_b)
                b = layer(b, a, grid_b, grid_a)
        return a, b
