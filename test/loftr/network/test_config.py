"""The configuration that a checkpoint carries."""

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from loftr_ros.loftr.network.config import LoFTRConfig, ModelConfigError, preset
from loftr_ros.loftr.network.model import LoFTR

PRESETS = ("compact", "compact16", "outdoor", "indoor", "outdoor_ot", "indoor_ot")


@pytest.mark.parametrize("name", PRESETS)
def test_round_trip_through_json(name: str) -> None:
    config = preset(name)
    assert LoFTRConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_published_size() -> None:
    assert sum(parameter.numel() for parameter in LoFTR(preset("outdoor")).parameters()) == 11_561_456


@pytest.mark.parametrize("name", ["outdoor_ot", "indoor_ot"])
def test_published_optimal_transport_adds_the_bin_score(name: str) -> None:
    """They are of the first release, so both have its position encoding."""
    states = [LoFTR(preset(name)).state_dict() for name in ("outdoor", name)]
    assert states[1].keys() - states[0].keys() == {"coarse_matching.bin_score"}
    assert states[0].keys() < states[1].keys()
    config = preset(name)
    assert (config.matching.kind, config.matching.temperature) == ("optimal_transport", 1.0)
    assert (config.matching.sinkhorn_iterations, config.matching.threshold, config.matching.border) == (3, 0.2, 2)
    assert config.legacy_position_encoding


def test_header_without_the_newer_keys() -> None:
    """Files from before optimal transport are dual-softmax networks."""
    values = preset("compact").to_dict()
    for key in ("kind", "sinkhorn_iterations", "prefilter"):
        del values["matching"][key]
    assert LoFTRConfig.from_dict(values) == preset("compact")


def test_compact_is_small() -> None:
    assert sum(parameter.numel() for parameter in LoFTR(preset("compact")).parameters()) < 1_000_000


def test_unknown_preset() -> None:
    with pytest.raises(ModelConfigError, match=r"'huge'.*compact, compact16, outdoor, indoor"):
        preset("huge")


def test_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        preset("compact").fine_window = 7  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"wings": 2}, "unknown key 'wings' in model"),
        ({"coarse": {"dims": 64}}, "unknown key 'dims' in coarse"),
        ({"coarse": {"dim": 128}}, "coarse.dim"),
        ({"fine": {"dim": 64}}, "fine.dim"),
        ({"backbone": {"block_dims": [16, 32]}}, "block_dims"),
        ({"backbone": {"block_dims": [16, 32, 64, 128]}}, "block_dims"),
        ({"coarse": {"heads": 3}}, "coarse.heads"),
        ({"coarse": {"heads": 0}}, "coarse.heads"),
        ({"coarse": {"layers": ["self", "other"]}}, "'self' or 'cross'"),
        ({"fine": {"attention": "some"}}, "'linear' or 'full'"),
        ({"coarse": {"pool": 0}}, "coarse.pool"),
        ({"coarse": {"mlp_ratio": 0}}, "coarse.mlp_ratio"),
        ({"backbone": {"sixteenth_dim": -1}}, "sixteenth_dim"),
        ({"backbone": {"sixteenth_dim": 80}}, "backbone.sixteenth_dim must equal coarse.dim"),
        ({"backbone": {"half_blocks": -1}}, "half_blocks"),
        ({"matching": {"candidate_blocks": -1}}, "candidate_blocks"),
        ({"matching": {"kind": "guess"}}, "matching.kind.*'guess'"),
        ({"matching": {"kind": 3}}, "kind in matching is 3: it must be a str"),
        ({"matching": {"sinkhorn_iterations": 0}}, "sinkhorn_iterations"),
        ({"matching": {"threshold": -0.1}}, "threshold"),
        ({"matching": {"sinkhorn_iterations": 10**12}}, "sinkhorn_iterations is 1000000000000: it must be from 1"),
        ({"matching": {"threshold": float("nan")}}, "matching.threshold is nan"),
        ({"matching": {"temperature": 0.0}}, "matching.temperature is 0.0"),
        ({"matching": {"border": -1}}, "matching.border is -1"),
        ({"backbone": {"blocks_per_stage": 10_000}}, "backbone.blocks_per_stage is 10000: it must be from 1 to 64"),
        ({"backbone": {"block_dims": [16, 10**9, 64]}}, "block_dims"),
        ({"coarse": {"layers": ["self"] * 10_000}}, "number of coarse.layers is 10000: it must be at most 64"),
        ({"pixel_center": float("inf")}, "pixel_center is inf"),
        ({"fine_window": 4}, "fine_window is 4: it must be odd"),
        ({"fine_window": 9999}, "fine_window"),
        ({"fine_window": -1}, "fine_window"),
    ],
)
def test_refused(change: dict[str, Any], words: str) -> None:
    values = preset("compact").to_dict()
    for key, value in change.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    with pytest.raises(ModelConfigError, match=words):
        LoFTRConfig.from_dict(values)


def test_coarse_size_for_the_position_encoding() -> None:
    values = preset("compact").to_dict()
    values["coarse"].update(dim=66, heads=1)
    values["backbone"].update(block_dims=(16, 32, 66))
    with pytest.raises(ModelConfigError, match="multiple of 4"):
        LoFTRConfig.from_dict(values)
