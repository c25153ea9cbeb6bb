"""Sources of a configuration, and mixing them."""

from pathlib import Path

import pytest
import torch

from loftr_ros.training.data.homographies import Homographies
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.recorded_pairs import RecordedPairs, RecordedPairsError
from loftr_ros.training.data.rendering import View
from loftr_ros.training.data.scenes import ViewPair, random_pairs
from loftr_ros.training.data.source_config import HomographyConfig, RecordedConfig, RenderedConfig
from loftr_ros.training.data.sources import Mixture, RenderedScenes, open_sources
from loftr_ros.training.data.textures import TextureAtlas

CPU = torch.device("cpu")


class Constant:
    """A source of one gray value."""

    def __init__(self, value: float) -> None:
        self.value = value

    def draw(self, draw: Draw, batch: int, size: tuple[int, int], difficulty: float = 1.0) -> ViewPair:
        view = View(torch.full((batch, 1, *size), self.value), torch.ones(batch, *size))
        return ViewPair(view, view, torch.eye(3).expand(batch, 3, 3), torch.eye(4).expand(batch, 4, 4))


def test_rendered_scenes_alone_draw_as_ever(patterns: TextureAtlas) -> None:
    """A run with rendered scenes only is the same with and without the list of sources."""
    source = open_sources((RenderedConfig(),), patterns)
    expected = random_pairs(Draw(4, CPU), patterns, 2, (64, 64))
    assert torch.equal(source.draw(Draw(4, CPU), 2, (64, 64)).b.image, expected.b.image)


def test_weights() -> None:
    mixture = Mixture((Constant(0.0), Constant(1.0), Constant(2.0)), (1.0, 0.5, 3.0))
    draw = Draw(0, CPU)
    values = [mixture.draw(draw, 2, (8, 8)).a.image.mean().item() for _ in range(900)]
    assert [values.count(value) for value in (0.0, 1.0, 2.0)] == pytest.approx([200, 100, 600], abs=50)


def test_every_kind(recorded_room: Path, patterns: TextureAtlas) -> None:
    configs = (RenderedConfig(weight=2), HomographyConfig(), RecordedConfig(folder=str(recorded_room)))
    with pytest.raises(RecordedPairsError, match="max_gap"):
        open_sources(configs, patterns)
    mixture = open_sources((*configs[:2], RecordedConfig(folder=str(recorded_room), max_gap=2)), patterns)
    assert isinstance(mixture, Mixture)
    assert [type(source) for source in mixture.sources] == [RenderedScenes, Homographies, RecordedPairs]
    assert mixture.weights == (2, 1, 1)
