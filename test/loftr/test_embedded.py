"""The weights inside the package: they load, and they match scenes that they were not trained on."""

import pytest
import torch

from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.runtime.matcher import LoftrMatcher, load_matcher
from loftr_ros.loftr.weights.pretrained import EMBEDDED
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.textures import pattern_atlas
from loftr_ros.training.validation import validate


@pytest.fixture(scope="module", params=EMBEDDED)
def embedded(request: pytest.FixtureRequest) -> LoftrMatcher:
    return load_matcher(request.param, "cpu")


def test_embedded_checkpoint_is_its_preset(embedded: LoftrMatcher) -> None:
    assert embedded.model.config == preset(embedded.checkpoint)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_checkpoint_is_small_and_has_a_model_card(name: str) -> None:
    assert EMBEDDED[name].path.stat().st_size < 4e6
    assert EMBEDDED[name].path.with_suffix(".md").read_text().startswith(f"# Model card: {name}\n")


def test_matches_rendered_rooms(embedded: LoftrMatcher) -> None:
    """Patterns instead of the images of the training, and rooms of the validation's seed, some seen from far apart."""
    cpu = torch.device("cpu")
    figures = validate(embedded.model, pattern_atlas(Draw(7, cpu), 16), cpu, pairs=8)
    assert figures.matches > {"compact": 300, "compact16": 200}[embedded.checkpoint]
    assert figures.precision > 0.7
    assert figures.error < 1.2
