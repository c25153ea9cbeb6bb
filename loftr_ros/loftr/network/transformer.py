"""The local feature transformer: self and cross attention, interleaved (paper, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loftr_ros.loftr.network.attention import full_attention, linear_attention
from loftr_ros.loftr.network.config import TransformerConfig
from loftr_ros.loftr.network.pooling import Blocks, Grid, Masks


class EncoderLayer(nn.Module):
    """Attention and a feed-forward network on token and message; parameters are named as in the authors' code."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        dim = config.dim
        self.heads = config.heads
        self.attention = linear_attention if config.attention == "linear" else full_attention
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.k_proj = nn.Linear(dim, dim, bias=False)
        self.v_proj = nn.Linear(dim, dim, bias=False)
        self.merge = nn.Linear(dim, dim, bias=False)
        hidden = config.mlp_ratio * dim
        self.mlp = nn.Sequential(
            nn.Linear(2 * dim, hidden, bias=False), nn.ReLU(inplace=True), nn.Linear(hidden, dim, bias=False)
        )
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor, source: Tensor, x_blocks: Blocks, source_blocks: Blocks) -> Tensor:
        """Update tokens x (B, L, C) by attention to source (B, S, C)."""
        queries = x_blocks.pool(x)
        keys = queries if source is x else source_blocks.pool(source)
        query, key, value = (self._split(t) for t in (self.q_proj(queries), self.k_proj(keys), self.v_proj(keys)))
        attended = self.attention(query, key, value, source_blocks.mask).transpose(1, 2).flatten(2)
        message = self.norm1(x_blocks.upsample(self.merge(attended)))
        update: Tensor = self.norm2(self.mlp(torch.cat([x, message], dim=2)))
        return x + update

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)


class LocalFeatureTransformer(nn.Module):
    """Self and cross attention layers on the tokens of two images."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.kinds = config.layers
        self.pool = config.pool
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in config.layers)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self, a: Tensor, b: Tensor, grid_a: Grid, grid_b: Grid, masks: Masks | None = None
    ) -> tuple[Tensor, Tensor]:
        """Transform the tokens of both images, (B, L, C) and (B, S, C).

        In a cross layer b attends to the already updated a, as in the authors' code. No token attends to masked tokens,
        whose own results are undefined.
        """
        mask_a, mask_b = masks or (None, None)
        blocks_a = Blocks(grid_a, self.pool, a.device, mask_a)
        blocks_b = Blocks(grid_b, self.pool, b.device, mask_b)
        for kind, layer in zip(self.kinds, self.layers, strict=True):
            if kind == "self":
                a, b = layer(a, a, blocks_a, blocks_a), layer(b, b, blocks_b, blocks_b)
            else:
                a = layer(a, b, blocks_a, blocks_b)
                b = layer(b, a, blocks_b, blocks_a)
        return a, b
