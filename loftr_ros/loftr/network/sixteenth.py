"""A backbone with a stage at 1/16 for the transformer, and the fusion of its tokens with the features at 1/8.

The published network runs the transformer on the tokens at 1/8 and merges its pyramid with wide 3x3 convolutions at
high resolution: both are bound by memory on a CPU. Here the transformer sees a quarter of the tokens, and channels are
reduced before upsampling.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from loftr_ros.loftr.network.backbone import Backbone, conv, stage
from loftr_ros.loftr.network.config import BackboneConfig
from loftr_ros.loftr.network.pooling import Grid


class SixteenthBackbone(Backbone):
    """Gray image to maps at 1/16 (context), 1/8 (coarse) and 1/2 (fine)."""

    in_float32 = ("conv1", "layer3_outconv", "layer4_outconv")

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__(config)
        half, quarter, eighth = config.block_dims
        self.layer4 = stage(eighth, config.sixteenth_dim, 1, 2)
        self.layer4_outconv: nn.Module = conv(config.sixteenth_dim, config.sixteenth_dim, 1)
        self.layer3_outconv: nn.Module = conv(eighth, eighth, 1)
        self.layer3_fine = conv(eighth, half, 1)
        self.layer2_fine = conv(quarter, half, 1)
        self.fine = conv(half, config.fine_dim, 3)
        self.initialize()

    @property
    def last_layers(self) -> tuple[nn.Module, nn.Module]:
        """The layers that compute the coarse and the fine map."""
        return self.layer3_outconv, self.fine

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the coarse map (B, C, H/8, W/8), the fine map (B, C', H/2, W/2), and the context at 1/16."""
        half, quarter, eighth = self.stages(image)
        context: Tensor = self.layer4_outconv(self.layer4(eighth))
        coarse: Tensor = self.layer3_outconv(eighth)
        middle = self.layer2_fine(quarter) + self.upsampled(self.layer3_fine(eighth))
        fine: Tensor = self.fine(F.relu(half + self.upsampled(middle)))
        return coarse, fine, context


class ContextFusion(nn.Module):
    """Merge the transformed tokens at 1/16 into the features at 1/8, which are to be matched."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        dim = config.block_dims[2]
        self.project = nn.Linear(config.context_dim, dim, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(2 * dim, 2 * dim, bias=False), nn.ReLU(inplace=True), nn.Linear(2 * dim, dim, bias=False)
        )
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, context: Tensor, grid: Grid, context_grid: Grid) -> Tensor:
        """Update tokens (B, L, C) by those of the context (B, K, D)."""
        message = _doubled(self.norm1(self.project(context)), grid, context_grid)
        update: Tensor = self.norm2(self.mlp(torch.cat([tokens, message], dim=2)))
        return tokens + update


def context_grid(grid: Grid) -> Grid:
    """Rows and columns at 1/16 of those at 1/8."""
    return -(-grid[0] // 2), -(-grid[1] // 2)


def _doubled(tokens: Tensor, grid: Grid, context_grid: Grid) -> Tensor:
    """Upsample bilinearly to a grid at 1/8."""
    maps = tokens.unflatten(1, context_grid).permute(0, 3, 1, 2)  # a channels_last view
    maps = F.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)
    return maps[:, :, : grid[0], : grid[1]].permute(0, 2, 3, 1).flatten(1, 2)
