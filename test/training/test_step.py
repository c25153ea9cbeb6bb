"""One pass over a batch: both losses reach the whole network."""

from dataclasses import replace

import pytest
import torch

from loftr_ros.loftr.network.coarse_matching import CoarseMatches
from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.network.fine_matching import FineOffsets
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import View
from loftr_ros.training.data.scenes import ViewPair, random_pairs
from loftr_ros.training.data.textures import TextureAtlas
from loftr_ros.training.step import train_step
from loftr_ros.training.supervision import fine_targets, true_matches

CPU = torch.device("cpu")


@pytest.fixture(params=["dual_softmax", "optimal_transport", "candidates"])
def model(request: pytest.FixtureRequest) -> LoFTR:
    torch.manual_seed(0)
    if request.param == "candidates":
        return LoFTR(preset("compact16")).train()
    config = preset("compact")
    return LoFTR(replace(config, matching=replace(config.matching, kind=request.param))).train()


def test_every_parameter_gets_a_gradient(model: LoFTR, patterns: TextureAtlas) -> None:
    pairs = random_pairs(Draw(0, CPU), patterns, 2, (64, 64))
    result = train_step(model, pairs, torch.cat([pairs.a.image, pairs.b.image]), Draw(0, CPU), 2.0, 64)
    assert result.matches > 20
    assert 0 < result.confidence < 1
    (result.coarse + result.candidate + result.fine).backward()
    assert [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()] == []


@pytest.mark.parametrize("part", ["coarse", "fine"])
def test_each_loss_trains_its_level(model: LoFTR, patterns: TextureAtlas, part: str) -> None:
    pairs = random_pairs(Draw(0, CPU), patterns, 2, (64, 64))
    result = train_step(model, pairs, torch.cat([pairs.a.image, pairs.b.image]), Draw(0, CPU), 2.0, 64)
    getattr(result, part).backward()
    trained = {name for name, value in model.named_parameters() if value.grad is not None and value.grad.any()}
    assert any("loftr_coarse" in name for name in trained) == (part == "coarse")
    last_of_fine = "fine.weight" if model.config.backbone.sixteenth_dim else "layer1_outconv2.3.weight"
    assert (f"backbone.{last_of_fine}" in trained) == (part == "fine")
    assert "backbone.conv1.weight" in trained


def test_windows_and_targets_belong_together(model: LoFTR, patterns: TextureAtlas) -> None:
    """A fine level that knows the true point of every cell pair it is asked about makes no error."""
    pairs = random_pairs(Draw(0, CPU), patterns, 2, (64, 64))
    truth = true_matches(pairs.a.depth, pairs.b.depth, pairs.K, pairs.K, pairs.T_b_a)
    targets = torch.full((2, 64, 2), torch.nan)
    targets[truth.batch, truth.cell_a] = fine_targets(truth, (8, 8), model.window_radius)
    asked: list[CoarseMatches] = []

    def refine(a: object, b: object, tokens: object, cells: CoarseMatches) -> FineOffsets:
        asked.append(cells)
        return FineOffsets(targets[cells.batch, cells.cell_a], torch.ones(len(cells.batch)))

    model.refine = refine  # type: ignore[assignment,method-assign]
    result = train_step(model, pairs, torch.cat([pairs.a.image, pairs.b.image]), Draw(0, CPU), 2.0, 64)
    assert (result.fine.item(), result.fine_error.item()) == (0, 0)
    (cells,) = asked
    assert len(cells.batch) == 64
    assert set(cells.batch.tolist()) == {0, 1}


def test_batch_without_a_true_match(model: LoFTR) -> None:
    """Two cameras that share nothing: no loss of matches, and a gradient of numbers."""
    view = View(torch.rand(2, 1, 64, 64), torch.full((2, 64, 64), torch.inf))
    K = torch.tensor([[64.0, 0, 32], [0, 64, 32], [0, 0, 1]]).expand(2, 3, 3)
    pairs = ViewPair(view, view, K, torch.eye(4).expand(2, 4, 4))
    result = train_step(model, pairs, torch.cat([view.image, view.image]), Draw(0, CPU), 2.0, 64)
    (result.coarse + result.fine).backward()
    assert (result.matches, result.fine.item()) == (0, 0)
    # Only optimal transport models unmatched cells, and learns from them.
    assert (result.coarse.item() > 0) == (model.config.matching.kind == "optimal_transport")
    assert all(value.grad is None or value.grad.isfinite().all() for value in model.parameters())
