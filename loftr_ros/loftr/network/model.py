"""The LoFTR network: from two images, or their features, to matches in pixels (arXiv 2104.00680, figure 2)."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from loftr_ros.loftr.network.backbone import Backbone, ResNetFPN
from loftr_ros.loftr.network.coarse_matching import CoarseMatches, CoarseMatching, most_confident
from loftr_ros.loftr.network.config import LoFTRConfig
from loftr_ros.loftr.network.fine_matching import FineMatching, FineOffsets, FinePreprocess, refine
from loftr_ros.loftr.network.pooling import Grid, Masks
from loftr_ros.loftr.network.position_encoding import sine_position_encoding
from loftr_ros.loftr.network.sixteenth import ContextFusion, SixteenthBackbone, context_grid
from loftr_ros.loftr.network.transformer import LocalFeatureTransformer

COARSE_STRIDE = 8
FINE_STRIDE = 2


@dataclass(frozen=True)
class FeatureMaps:
    """Feature maps of an image.

    Attributes:
        coarse: (B, C, H/8, W/8), with position encoding if there is no context.
        fine: (B, C', H/2, W/2).
        mask: (B, H/8, W/8) bool, cells to use; None for all.
        context: (B, D, H/16, W/16), sides rounded up, with position encoding; None if the transformer works at 1/8.
    """

    coarse: Tensor
    fine: Tensor
    mask: Tensor | None = None
    context: Tensor | None = None

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
    """M matches of a batch of pairs, in pixels of the network's input images.

    Attributes:
        coarse: the matched cells and their confidence.
        points_a: (M, 2) float32, (x, y) of the cells of image a, multiples of 8.
        points_b: (M, 2) float32, refined positions in image b.
    """

    coarse: CoarseMatches
    points_a: Tensor
    points_b: Tensor


class LoFTR(nn.Module):
    """Detector-free matching of two gray images; parameters are named as in the authors' release."""

    def __init__(self, config: LoFTRConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone: Backbone
        if config.backbone.sixteenth_dim:
            self.backbone = SixteenthBackbone(config.backbone)
            self.context_fusion = ContextFusion(config.backbone)
        else:
            self.backbone = ResNetFPN(config.backbone)
        self.loftr_coarse = LocalFeatureTransformer(config.coarse)
        self.coarse_matching = CoarseMatching(config.matching)
        self.fine_preprocess = FinePreprocess(config)
        self.loftr_fine = LocalFeatureTransformer(config.fine)
        self.fine_matching = FineMatching(config)

    def prepare(self, precision: torch.dtype) -> LoFTR:
        """Return a copy for inference, in evaluation mode, with the backbone in this precision.

        The fine level follows in float16 but stays in float32 with bfloat16, whose resolution is too low for positions.
        """
        ready = deepcopy(self).eval()
        ready.backbone.fold_normalization()
        ready.backbone.round(precision)
        ready.coarse_matching.round_factors = precision is not torch.float32
        if precision is torch.float16:
            ready.fine_preprocess.half()
            ready.loftr_fine.half()
        return ready

    def extract(self, image: Tensor, mask: Tensor | None = None) -> FeatureMaps:
        """Compute the features of one image.

        Args:
            image: (B, 1, H, W) in [0, 1], sides multiples of 8.
            mask: (B, H/8, W/8) bool, cells to use. Masked cells are excluded from attention and matching; the backbone
                sees the whole image.
        """
        coarse, fine, context = self.backbone(image)
        if context is None:
            return FeatureMaps(self._with_position(coarse), fine, mask)
        return FeatureMaps(coarse.float(), fine, mask, self._with_position(context))

    def _with_position(self, maps: Tensor) -> Tensor:
        legacy = self.config.legacy_position_encoding
        return maps.float() + sine_position_encoding(*maps.shape[1:], legacy=legacy, device=maps.device)

    def match(self, a: FeatureMaps, b: FeatureMaps, max_matches: int = 0) -> NetworkMatches:
        """Match two images by their features; both batches must have the same size.

        `max_matches` keeps the most confident matches; it requires a batch of one pair.
        """
        tokens = self.transform(a, b)
        cells: CoarseMatches = self.coarse_matching(*tokens, a.grid, b.grid, _masks(a, b))
        return self._located(a, b, tokens, most_confident(cells, max_matches) if max_matches else cells)

    def match_fixed(self, a: FeatureMaps, b: FeatureMaps, max_matches: int = 0) -> NetworkMatches:
        """Match one pair with a result of fixed shape, see `CoarseMatching.strongest`."""
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
        tokens_a, tokens_b = _tokens(a.coarse), _tokens(b.coarse)
        if a.context is None or b.context is None:
            out: tuple[Tensor, Tensor] = self.loftr_coarse(tokens_a, tokens_b, a.grid, b.grid, _masks(a, b))
            return out
        grids = context_grid(a.grid), context_grid(b.grid)
        contexts = self.loftr_coarse(_tokens(a.context), _tokens(b.context), *grids, _context_masks(a, b))
        return (
            self.context_fusion(tokens_a, contexts[0], a.grid, grids[0]),
            self.context_fusion(tokens_b, contexts[1], b.grid, grids[1]),
        )

    def refine(
        self, a: FeatureMaps, b: FeatureMaps, tokens: tuple[Tensor, Tensor], cells: CoarseMatches
    ) -> FineOffsets:
        """Run the fine level for the matched cells; offsets are in half windows."""
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
        """Data type of the backbone."""
        return self.backbone.dtype

    @property
    def window_radius(self) -> int:
        """Pixels from the center of a fine window to its edge."""
        return self.config.fine_window // 2 * FINE_STRIDE


def _masks(a: FeatureMaps, b: FeatureMaps) -> Masks | None:
    """Both masks, or None if all cells are used."""
    return None if a.mask is None and b.mask is None else (a.used, b.used)


def _context_masks(a: FeatureMaps, b: FeatureMaps) -> Masks | None:
    """Masks at 1/16: tokens with a cell to use."""
    masks = _masks(a, b)
    if masks is None:
        return None
    sides = (mask.unflatten(1, maps.grid).float() for mask, maps in zip(masks, (a, b), strict=True))
    used_a, used_b = (F.max_pool2d(side, 2, ceil_mode=True).flatten(1) > 0 for side in sides)
    return used_a, used_b


def _tokens(maps: Tensor) -> Tensor:
    """(B, C, H, W) to (B, H * W, C)."""
    return maps.flatten(2).transpose(1, 2).contiguous()


def cell_points(cells: Tensor, grid: Grid) -> Tensor:
    """Pixels (x, y) of row-major cell indices (M,): (M, 2) float32."""
    return torch.stack([cells % grid[1], cells // grid[1]], dim=1).float() * COARSE_STRIDE
