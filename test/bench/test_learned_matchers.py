"""Other learned matchers: kornia's networks behind the `Matcher` protocol, here with random weights."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

Bench = Callable[[str], ModuleType]

CPU = torch.device("cpu")


@pytest.fixture
def random_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of XFeat and its LightGlue where kornia looks before it downloads them."""
    feature = pytest.importorskip("kornia.feature", reason="kornia is needed")
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    torch.save(feature.XFeat().net.state_dict(), folder / "xfeat.pt")
    lightglue = feature.LightGlue(None, **feature.LightGlue.features["xfeat"] | {"weights": None})
    torch.save(lightglue.state_dict(), folder / "xfeat-lighterglue.pt")


@pytest.mark.usefixtures("random_weights")
@pytest.mark.parametrize("name", ["xfeat", "xfeat-dense", "xfeat-lighterglue"])
def test_same_image(bench: Bench, texture: NDArray[np.uint8], name: str) -> None:
    image = np.ascontiguousarray(texture[:128, :160])
    _, make = bench("learned_matchers").LEARNED_MATCHERS[name]
    matcher = make(CPU)
    features = matcher.extract(image)
    matches = matcher.match(features, features)
    assert matches.points_a.shape == matches.points_b.shape == (len(matches), 2)
    assert matches.points_a.flags.c_contiguous
    if name == "xfeat-dense":
        assert len(features["keypoints"]) > 100


def test_points_and_confidence_of_the_chosen_matches(bench: Bench) -> None:
    keypoints = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

    def swapped(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        return a["keypoints"][1:], b["keypoints"].flip(0)[1:], torch.tensor([0.5, 0.25])

    matcher = bench("learned_matchers").LearnedMatcher(lambda _: {"keypoints": keypoints}, swapped, CPU)
    features = matcher.extract(np.zeros((8, 16), np.uint8))
    assert features["size"].tolist() == [16, 8]
    matches = matcher.match(features, features)
    np.testing.assert_array_equal(matches.points_a, [[3, 4], [5, 6]])
    np.testing.assert_array_equal(matches.points_b, [[3, 4], [1, 2]])
    np.testing.assert_array_equal(matches.confidence, [0.5, 0.25])
    assert len(matcher.match(features, features | {"keypoints": keypoints[:0]})) == 0
