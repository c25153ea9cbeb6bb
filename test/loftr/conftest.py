"""Small networks, so that each property is checked in milliseconds."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from loftr_ros.loftr.network.config import BackboneConfig, CoarseMatchingConfig, LoFTRConfig, TransformerConfig
from loftr_ros.loftr.network.model import FeatureMaps, LoFTR
from loftr_ros.loftr.runtime.matcher import LoftrMatcher


class LocalLoFTR(LoFTR):
    """Tokens of one length: nothing is as much like a token as itself."""

    def transform(self, a: FeatureMaps, b: FeatureMaps) -> tuple[torch.Tensor, torch.Tensor]:
        tokens_a, tokens_b = super().transform(a, b)
        return 30 * F.normalize(tokens_a, dim=2), 30 * F.normalize(tokens_b, dim=2)


@pytest.fixture(autouse=True)
def one_thread(one_torch_thread: None) -> None:
    """In all tests of this folder."""


@pytest.fixture
def tiny_config() -> LoFTRConfig:
    """All parts of the published network at a fraction of its size, and a threshold that everything passes."""
    return LoFTRConfig(
        backbone=BackboneConfig(stem_dim=8, block_dims=(8, 12, 16), blocks_per_stage=1, fine_dim=8),
        coarse=TransformerConfig(dim=16, heads=2, layers=("self", "cross")),
        fine=TransformerConfig(dim=8, heads=2, layers=("self", "cross")),
        matching=CoarseMatchingConfig(threshold=0.0, border=1),
    )


@pytest.fixture
def tiny_model(tiny_config: LoFTRConfig) -> LoFTR:
    """A network with random weights."""
    torch.manual_seed(0)
    return LoFTR(tiny_config).eval()


@pytest.fixture
def tiny_matcher(tiny_model: LoFTR) -> LoftrMatcher:
    return LoftrMatcher(tiny_model, torch.device("cpu"), "tiny", precision="float32")


@pytest.fixture
def local_matcher(tiny_config: LoFTRConfig) -> LoftrMatcher:
    """Sees only the surroundings of each cell: no attention, no position, so a shifted image has shifted features."""
    torch.manual_seed(0)
    config = replace(
        tiny_config,
        backbone=replace(tiny_config.backbone, align_corners=False),
        coarse=replace(tiny_config.coarse, layers=()),
        fine=replace(tiny_config.fine, layers=()),
        fine_context=False,
    )
    model = LocalLoFTR(config).eval()
    with torch.no_grad():
        model.backbone.layer3_outconv.weight *= 100  # the content outweighs the position encoding
    return LoftrMatcher(model, torch.device("cpu"), "local")
