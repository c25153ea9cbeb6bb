"""The LoFTR network: two images, or their features, to matches in pixels (arXiv 2104.00680, figure 2)."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from loftr_ros.loftr.network.backbone import ResNetFPN
from loftr_ros.loftr.network.coarse_matching import CoarseMatches, CoarseMatching, most_confident
from loftr_ros.loftr.network.config import LoFTRConfig
from loftr_ros.loftr.network.fine_matching import FineMatching, FineOffsets, FinePreprocess, refine
from loftr_ros.loftr.network.pooling import Grid, Masks
from loftr_ros.loftr.network.position_encoding import sine_position_encoding
from loftr_ros.loftr.network.transformer import LocalFeatureTransformer

COARSE_STRIDE = 8
FINE_STRIDE = 2


@dataclass(frozen=True)
class FeatureMaps:
    """What the network keeps of an image.

    Attributes:
        coarse: (B, C, H/8, W/8), position encoding added.
        fine: (B, C', H/2, W/2).
        mask: (B, H/8, W/8) bool, cells to use; None for all.
    """

    coarse: Tensor
    fine: Tensor
    mask: Tensor | None = None

    @property
    def grid(self) -> Grid:
        """Rows and columns of the coarse map."""
        return self.coarse.shape[2], self.coarse.shape[3]

    @property
    def used(self) -> Tensor:
        """(B, L) bool, cells to use."""
        shape, device = (self.coarse.shape[0], self.grid[0] * self.grid[1]), self.coarse.device
        return torch.ones(shape, dtype=torch.bool, device=device) if self.mask is None else self.mask.flatten(1)


@dataclass(frozen=True)
class NetworkMatches:
    """M matches of a batch of pairs, in pixels of the images that the network saw.

    Attributes:
        coarse: the matched cells and their confidence.
        points_a: (M, 2) float32, (x, y) of the cells of image a: multiples of 8.
        points_b: (M, 2) float32, refined positions in image b.
    """

    coarse: CoarseMatches
    points_a: Tensor
    points_b: Tensor


class LoFTR(nn.Module):
    """Detector-free matching of two grey images; the names of the parameters are those of the authors' release."""

    def __init__(self, config: LoFTRConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = ResNetFPN(config.backbone)
        self.loftr_coarse = LocalFeatureTransformer(config.coarse)
        self.coarse_matching = CoarseMatching(config.matching)
        self.fine_preprocess = FinePreprocess(config)
        self.loftr_fine = LocalFeatureTransformer(config.fine)
        self.fine_matching = FineMatching(config)

    def prepare(self, precision: torch.dtype) -> LoFTR:
        """Return a copy for inference only, in evaluation mode, whose backbone computes in this precision.

        So does the fine level in float16: in bfloat16 its positions would be off.
        """
        ready = deepcopy(self).eval()
        ready.backbone.fold_normalisation()
        ready.backbone.round(precision)
        ready.coarse_matching.round_factors = precision is not torch.float32
        if precision is torch.float16:
            ready.fine_preprocess.half()
            ready.loftr_fine.half()
        return ready

    def extract(self, image: Tensor, mask: Tensor | None = None) -> FeatureMaps:
        """Compute all that depends on one image alone.

        Args:
            image: (B, 1, H, W) in [0, 1], sides multiples of 8.
            mask: (B, H/8, W/8) bool, cells to use. The others neither match nor inform the transformer; the backbone
                sees them, as it sees the whole image.
        """
        coarse, fine = self.backbone(image)
        channels, height, width = coarse.shape[1:]
        legacy = self.config.legacy_position_encoding
        encoding = sine_position_encoding(channels, height, width, legacy=legacy, device=coarse.device)
        return FeatureMaps(coarse.float() + encoding, fine, mask)

    def match(self, a: FeatureMaps, b: FeatureMaps, max_matches: int = 0) -> NetworkMatches:
        """Match two images by their features; the batches must be of one size.

        With `max_matches` the batch is one pair, and only its most confident matches are kept.
        """
        tokens = self.transform(a, b)
        cells: CoarseMatches = self.coarse_matching(*tokens, a.grid, b.grid, _masks(a, b))
        return self._located(a, b, tokens, most_confident(cells, max_matches) if max_matches else cells)

    def match_fixed(self, a: FeatureMaps, b: FeatureMaps, max_matches: int = 0) -> NetworkMatches:
        """Match one pair with a result whose shape does not depend on what is found, see `CoarseMatching.strongest`."""
        tokens = self.transform(a, b)
        count = min(math.prod(a.grid), math.prod(b.grid))
        count = min(max_matches, count) if max_matches else count
        cells = self.coarse_matching.strongest(*tokens, a.grid, b.grid, _masks(a, b), count)
        return self._located(a, b, tokens, cells)

    def _located(
        self, a: FeatureMaps, b: FeatureMaps, tokens: tuple[Tensor, Tensor], cells: CoarseMatches
    ) -> NetworkMatches:
        offsets = self.refine(a, b, tokens, cells)
        points_a = cell_points(cells.cell_a, a.grid)
        points_b = cell_points(cells.cell_b, b.grid) + offsets.mean * self.window_radius
        return NetworkMatches(cells, points_a, points_b)

    def forward(self, image_a: Tensor, image_b: Tensor) -> NetworkMatches:
        """Match two (B, 1, H, W) images."""
        return self.match(self.extract(image_a), self.extract(image_b))

    def transform(self, a: FeatureMaps, b: FeatureMaps) -> tuple[Tensor, Tensor]:
        """Run the coarse transformer; returns tokens (B, L, C) and (B, S, C)."""
        tokens_a, tokens_b = (maps.coarse.flatten(2).transpose(1, 2).contiguous() for maps in (a, b))
        out: tuple[Tensor, Tensor] = self.loftr_coarse(tokens_a, tokens_b, a.grid, b.grid, _masks(a, b))
        return out

    def refine(
        self, a: FeatureMaps, b: FeatureMaps, tokens: tuple[Tensor, Tensor], cells: CoarseMatches
    ) -> FineOffsets:
        """Run the fine level for matched cells; offsets are in half windows."""
        return refine(
            self.fine_preprocess,
            self.loftr_fine,
            self.fine_matching,
            (a.fine, b.fine),
            tokens,
            (a.grid[1], b.grid[1]),
            cells,
        )

    @property
    def dtype(self) -> torch.dtype:
        """In which the backbone computes."""
        return self.backbone.layer1_outconv.weight.dtype

    @property
    def window_radius(self) -> int:
        """Pixels from the centre of a fine window to its rim."""
        return self.config.fine_window // 2 * FINE_STRIDE


def _masks(a: FeatureMaps, b: FeatureMaps) -> Masks | None:
    """Both masks, or none where all cells are used."""
    return None if a.mask is None and b.mask is None else (a.used, b.used)


def cell_points(cells: Tensor, grid: Grid) -> Tensor:
    """Pixel (x, y) of row-major cell indices (M,): (M, 2) float32."""
    return torch.stack([cells % grid[1], cells // grid[1]], dim=1).float() * COARSE_STRIDE
