"""The weights inside the package: they load, and they match scenes that they were not trained on."""

import pytest
import torch

from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.runtime.matcher import LoftrMatcher, load_matcher
from loftr_ros.loftr.weights.checkpoints import EMBEDDED
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.textures import pattern_atlas
from loftr_ros.training.validation import validate


@pytest.fixture(scope="module")
def compact() -> LoftrMatcher:
    assert EMBEDDED.is_file(), "the package has no compact checkpoint: train one with config/train_compact.yaml"
    return load_matcher("compact", "cpu")


def test_embedded_checkpoint_is_the_compact_preset(compact: LoftrMatcher) -> None:
    assert compact.model.config == preset("compact")
    assert compact.checkpoint == "compact"


def test_embedded_checkpoint_is_small() -> None:
    assert EMBEDDED.stat().st_size < 4e6


def test_matches_rendered_rooms(compact: LoftrMatcher) -> None:
    """Patterns instead of the photos of the training, and rooms of the validation's seed, some seen from far apart."""
    cpu = torch.device("cpu")
    figures = validate(compact.model, pattern_atlas(Draw(7, cpu), 16), cpu, pairs=8)
    assert figures.matches > 300
    assert figures.precision > 0.7
    assert figures.error < 1.2
