"""Frozen configuration of a LoFTR network, and its named presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from loftr_ros.errors import LoftrRosError, quoted
from loftr_ros.validation import require, require_known, require_type

# Larger images are downscaled to about this many pixels for matching, as memory and time grow quadratically.
MAX_PIXELS = 1_000_000

_MAX_CHANNELS = 4096
_MAX_LAYERS = 64


class ModelConfigError(LoftrRosError):
    """A network configuration that cannot be built."""


def _bounded(default: Any, low: float, high: float) -> Any:
    """Field that must lie in a range: generous, but a file cannot ask for a network that builds or runs for hours."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class BackboneConfig:
    """ResNet-FPN with outputs at 1/8 (coarse) and 1/2 (fine) of the input size.

    Attributes:
        stem_dim: channels after the first convolution.
        block_dims: channels at 1/2, 1/4 and 1/8; the last is the coarse feature size.
        blocks_per_stage: residual blocks in each of the three stages.
        fine_dim: channels of the fine map.
        sixteenth_dim: channels of a further stage at 1/16, where the coarse transformer works then; 0 for the published
            architecture, whose transformer works at 1/8.
        half_blocks: residual blocks of the stage at 1/2; 0 for `blocks_per_stage`.
        quarter_blocks: residual blocks of the stage at 1/4; 0 for `blocks_per_stage`.
        align_corners: mode of upsampling in the pyramid; the published weights were trained with True, which shifts
            features by up to one cell across the image, so networks trained here use False.
    """

    stem_dim: int = _bounded(128, 1, _MAX_CHANNELS)
    block_dims: tuple[int, int, int] = _bounded((128, 196, 256), 1, _MAX_CHANNELS)
    blocks_per_stage: int = _bounded(2, 1, _MAX_LAYERS)
    fine_dim: int = _bounded(128, 1, _MAX_CHANNELS)
    align_corners: bool = True
    sixteenth_dim: int = _bounded(0, 0, _MAX_CHANNELS)
    half_blocks: int = _bounded(0, 0, _MAX_LAYERS)
    quarter_blocks: int = _bounded(0, 0, _MAX_LAYERS)

    @property
    def context_dim(self) -> int:
        """Channels of the tokens of the coarse transformer."""
        return self.sixteenth_dim or self.block_dims[2]


@dataclass(frozen=True)
class TransformerConfig:
    """Interleaved self and cross attention layers (paper, section 3.2).

    Attributes:
        dim: feature dimension; a multiple of `heads`, and of 4 for the position encoding.
        heads: attention heads.
        layers: kind of each layer, "self" or "cross".
        attention: "linear" (paper, section 3.2) or "full" (softmax attention).
        pool: side of the blocks of tokens averaged before attention; 1 for attention between all tokens.
        mlp_ratio: width of the hidden layer of the feed-forward network, in units of `dim`.
    """

    dim: int = _bounded(256, 1, _MAX_CHANNELS)
    heads: int = _bounded(8, 1, _MAX_CHANNELS)
    layers: tuple[str, ...] = ("self", "cross") * 4
    attention: str = "linear"
    pool: int = _bounded(1, 1, 64)
    mlp_ratio: int = _bounded(2, 1, 16)


@dataclass(frozen=True)
class CoarseMatchingConfig:
    """Matching of coarse cells by mutual nearest neighbors (paper, section 3.3).

    Attributes:
        temperature: divides the similarity; 1 for the published optimal-transport weights, trained without temperature.
        threshold: minimum confidence of a match.
        border: width of the margin of the coarse grid that is not matched, cells.
        kind: "dual_softmax" or "optimal_transport".
        sinkhorn_iterations: iterations of optimal transport.
        prefilter: drop cells whose most likely match is the dustbin (optimal transport).
        candidate_blocks: blocks of 2 x 2 cells of the other image that each block is compared with in full, the rest by
            their averages (dual-softmax); 0 compares all cells.
    """

    temperature: float = _bounded(0.1, 1e-3, 1e3)
    threshold: float = _bounded(0.2, 0.0, 1.0)
    border: int = _bounded(2, 0, 1000)
    kind: str = "dual_softmax"
    sinkhorn_iterations: int = _bounded(3, 1, 1000)
    prefilter: bool = False
    candidate_blocks: int = _bounded(0, 0, 1000)


@dataclass(frozen=True)
class LoFTRConfig:
    """Network configuration of a checkpoint.

    Attributes:
        legacy_position_encoding: use the frequencies of the authors' first release, which has a bug in their scale.
            Required by all published weights but the later "indoor" ones.
        pixel_center: coordinate of the center of the top-left pixel in the training of the checkpoint, pixels: 0.5 for
            the published weights, 0 for those trained here.
        fine_window: side of the window of fine cells in which a coarse match is refined; odd.
        fine_context: merge the coarse features into the fine windows (paper, section 3.4).
    """

    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    coarse: TransformerConfig = field(default_factory=TransformerConfig)
    fine: TransformerConfig = field(default_factory=lambda: TransformerConfig(dim=128, layers=("self", "cross")))
    matching: CoarseMatchingConfig = field(default_factory=CoarseMatchingConfig)
    legacy_position_encoding: bool = False
    pixel_center: float = _bounded(0.0, -1.0, 1.0)
    fine_window: int = _bounded(5, 3, 31)
    fine_context: bool = True

    def __post_init__(self) -> None:
        backbone = self.backbone
        are_three = len(backbone.block_dims) == 3
        require(are_three, ModelConfigError, "backbone.block_dims", backbone.block_dims, "three numbers")
        for where, part in (("", self), ("backbone.", backbone), ("matching.", self.matching)):
            _require_bounds(part, where)
        if backbone.context_dim != self.coarse.dim or backbone.fine_dim != self.fine.dim:
            source = "sixteenth_dim" if backbone.sixteenth_dim else "block_dims[2]"
            raise ModelConfigError(f"backbone.{source} must equal coarse.dim and backbone.fine_dim fine.dim")
        coarse_dim, encoding = self.coarse.dim, "a multiple of 4, as the position encoding needs"
        require(coarse_dim % 4 == 0, ModelConfigError, "coarse.dim", coarse_dim, encoding)
        for name, transformer in (("coarse", self.coarse), ("fine", self.fine)):
            _require_transformer(transformer, name)
        is_kind = self.matching.kind in {"dual_softmax", "optimal_transport"}
        require(is_kind, ModelConfigError, "matching.kind", self.matching.kind, "dual_softmax or optimal_transport")
        require(self.fine_window % 2 == 1, ModelConfigError, "fine_window", self.fine_window, "odd")

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested values, for files."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LoFTRConfig:
        """Build a configuration from the result of `to_dict`; unknown keys are errors."""
        parts = {
            "backbone": BackboneConfig,
            "coarse": TransformerConfig,
            "fine": TransformerConfig,
            "matching": CoarseMatchingConfig,
        }
        nested = {key: _build(parts[key], value, key) if key in parts else value for key, value in values.items()}
        return _build(cls, nested, "model")


def _build(cls: type[Any], values: dict[str, Any], where: str) -> Any:
    require_known(ModelConfigError, values, (entry.name for entry in fields(cls)), f" in {where}")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    for key, value in values.items():
        expected = type(getattr(cls, key, value))  # the type of the default; nested configurations have none
        require_type(ModelConfigError, f"{key} in {where}", value, expected)
    return cls(**values)


def _require_bounds(config: Any, where: str) -> None:
    for entry in fields(config):
        if "range" in entry.metadata:
            low, high = entry.metadata["range"]
            value = getattr(config, entry.name)
            values = value if isinstance(value, tuple) else (value,)
            # Positive form, so that NaN is refused.
            inside = all(low <= one <= high for one in values)
            require(inside, ModelConfigError, f"{where}{entry.name}", value, f"from {low:g} to {high:g}")


def _require_transformer(config: TransformerConfig, name: str) -> None:
    _require_bounds(config, f"{name}.")
    multiple = f"a multiple of {name}.heads, {config.heads}"
    require(config.dim % config.heads == 0, ModelConfigError, f"{name}.dim", config.dim, multiple)
    are_few = len(config.layers) <= _MAX_LAYERS
    require(are_few, ModelConfigError, f"number of {name}.layers", len(config.layers), f"at most {_MAX_LAYERS}")
    if set(config.layers) - {"self", "cross"} or config.attention not in {"linear", "full"}:
        raise ModelConfigError(f"{name}: layers must be 'self' or 'cross', attention 'linear' or 'full'")


def preset(name: str) -> LoFTRConfig:
    """Return the configuration of a preset.

    "compact" is the network trained by this package; "compact16" its successor, with the transformer at 1/16, at less
    than half the cost. The others are exactly the published architecture (paper, section 4): "outdoor" and "indoor"
    match by dual-softmax, "outdoor_ot" and "indoor_ot" by optimal transport. Among the published weights, only "indoor"
    (indoor_ds_new) was trained with the corrected position encoding.
    """
    corrected = LoFTRConfig(pixel_center=0.5)
    published = replace(corrected, legacy_position_encoding=True)
    transport = replace(published, matching=CoarseMatchingConfig(kind="optimal_transport", temperature=1.0))
    presets = {
        "compact": LoFTRConfig(
            backbone=BackboneConfig(stem_dim=16, block_dims=(16, 32, 64), fine_dim=32, align_corners=False),
            coarse=TransformerConfig(dim=64, heads=4, layers=("self", "cross") * 2, attention="full", pool=4),
            fine=TransformerConfig(dim=32, heads=4, layers=()),
            matching=CoarseMatchingConfig(threshold=0.1, border=1),
            fine_context=False,
        ),
        "compact16": LoFTRConfig(
            backbone=BackboneConfig(
                stem_dim=16,
                block_dims=(16, 32, 64),
                sixteenth_dim=80,
                half_blocks=1,
                quarter_blocks=1,
                fine_dim=32,
                align_corners=False,
            ),
            coarse=TransformerConfig(
                dim=80, heads=5, layers=("self", "cross") * 2, attention="full", pool=2, mlp_ratio=1
            ),
            fine=TransformerConfig(dim=32, heads=4, layers=()),
            matching=CoarseMatchingConfig(threshold=0.1, border=1, candidate_blocks=8),
            fine_context=False,
        ),
        "outdoor": published,
        "indoor": corrected,
        "outdoor_ot": transport,
        "indoor_ot": transport,
    }
    if name not in presets:
        raise ModelConfigError(f"unknown preset {quoted(name)}; known: {', '.join(presets)}")
    return presets[name]
