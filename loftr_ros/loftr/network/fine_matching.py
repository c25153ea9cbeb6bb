"""Sub-pixel refinement of coarse matches in small windows of the fine map (paper, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from loftr_ros.loftr.network.coarse_matching import CoarseMatches
from loftr_ros.loftr.network.config import LoFTRConfig
from loftr_ros.loftr.network.transformer import LocalFeatureTransformer

FINE_CELLS_PER_COARSE = 4  # the fine map is at 1/2, the coarse one at 1/8
_BLOCK = 2**19  # values in the windows of a batch of matches: 2 MiB, the L2 cache of a core


@dataclass(frozen=True)
class FineOffsets:
    """Position of each match in its window.

    Attributes:
        mean: (M, 2) expectation (x, y) over the heat map; [-1, 1] spans the window.
        deviation: (M,) total standard deviation of the heat map in the same unit (sigma of equation 6).
    """

    mean: Tensor
    deviation: Tensor


class FinePreprocess(nn.Module):
    """Crop windows around the matched cells; optionally merge the coarse features into them."""

    def __init__(self, config: LoFTRConfig) -> None:
        super().__init__()
        self.window = config.fine_window
        self.context = config.fine_context
        if self.context:
            self.down_proj = nn.Linear(config.backbone.block_dims[2], config.fine.dim)
            self.merge_feat = nn.Linear(2 * config.fine.dim, config.fine.dim)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the windows: that of the weights, if any."""
        return self.merge_feat.weight.dtype if self.context else torch.float32

    def pad(self, fine: Tensor) -> Tensor:
        """Pad a fine map (B, C', H/2, W/2) for cropping: (B, H/2 + window - 1, W/2 + window - 1, C')."""
        return F.pad(fine.permute(0, 2, 3, 1), (0, 0, *[self.window // 2] * 4))

    def forward(self, pixels: Tensor, coarse: Tensor, batch: Tensor, cells: Tensor, columns: int) -> Tensor:
        """Return the windows (M, window^2, C') of M cells.

        Args:
            pixels: the fine map, see `pad`.
            coarse: (B, L, C) transformed coarse tokens.
            batch, cells: (M,) index of the image, index of the coarse cell.
            columns: number of columns of the coarse grid.
        """
        windows = self._cut(pixels, batch, cells, columns)
        if not self.context:
            return windows
        context = self.down_proj(coarse[batch, cells].to(self.dtype))[:, None].expand_as(windows)
        merged: Tensor = self.merge_feat(torch.cat([windows, context], dim=2))
        return merged

    def _cut(self, pixels: Tensor, batch: Tensor, cells: Tensor, columns: int) -> Tensor:
        _, height, width, channels = pixels.shape
        row, column = cells // columns * FINE_CELLS_PER_COARSE, cells % columns * FINE_CELLS_PER_COARSE
        steps = torch.arange(self.window, device=pixels.device)
        index = ((batch * height + row) * width + column)[:, None] + (steps[:, None] * width + steps).flatten()
        # Gather pixels from a flat list: three times as fast as indexing the map.
        windows = pixels.reshape(-1, channels).index_select(0, index.flatten()).to(self.dtype)
        return windows.unflatten(0, (-1, self.window**2))


class FineMatching(nn.Module):
    """Refine coarse matches: the expectation over the correlation heat map of two windows."""

    def __init__(self, config: LoFTRConfig) -> None:
        super().__init__()
        self.window = config.fine_window

    def forward(self, windows_a: Tensor, windows_b: Tensor) -> FineOffsets:
        """Correlate the center of each window of a with the window of b, both (M, window^2, C')."""
        center = windows_a[:, self.window**2 // 2].float()
        scores = torch.einsum("mc,mkc->mk", center, windows_b.float()) / center.shape[1] ** 0.5
        heat = scores.softmax(dim=1)
        axis = torch.linspace(-1, 1, self.window, device=heat.device)
        grid = torch.cartesian_prod(axis, axis).flip(1)  # (window^2, 2) as x, y
        mean = heat @ grid
        variance = heat @ grid**2 - mean**2
        return FineOffsets(mean, variance.clamp(min=1e-10).sqrt().sum(dim=1))


def refine(
    preprocess: FinePreprocess,
    transformer: LocalFeatureTransformer,
    matching: FineMatching,
    fine: tuple[Tensor, Tensor],
    coarse: tuple[Tensor, Tensor],
    columns: tuple[int, int],
    matches: CoarseMatches,
) -> FineOffsets:
    """Run the fine level for the coarse matches of a batch of pairs, in blocks of matches that fit the cache."""
    pixels_a, pixels_b = preprocess.pad(fine[0]), preprocess.pad(fine[1])
    square = (preprocess.window, preprocess.window)
    count = len(matches.cell_a)
    step = count if pixels_a.is_cuda else _BLOCK // (preprocess.window**2 * pixels_a.shape[3])
    parts = []
    for batch, cell_a, cell_b in zip(
        *(indices.split(max(step, 1)) for indices in (matches.batch, matches.cell_a, matches.cell_b)), strict=True
    ):
        windows_a = preprocess(pixels_a, coarse[0], batch, cell_a, columns[0])
        windows_b = preprocess(pixels_b, coarse[1], batch, cell_b, columns[1])
        parts.append(matching(*transformer(windows_a, windows_b, square, square)))
    return FineOffsets(torch.cat([part.mean for part in parts]), torch.cat([part.deviation for part in parts]))
