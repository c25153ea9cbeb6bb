"""The figures of validation, for answers that are known."""

import math

import pytest
import torch

from loftr_ros.loftr.network.coarse_matching import CoarseMatches
from loftr_ros.loftr.network.model import NetworkMatches, cell_points
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.scenes import ViewPair, random_pairs
from loftr_ros.training.data.textures import TextureAtlas
from loftr_ros.training.supervision import warp
from loftr_ros.training.validation import validate

CPU = torch.device("cpu")
GRID = (8, 8)


class Oracle:
    """Takes the place of the network: the true point of every cell of a, wrong by some pixels."""

    def __init__(self, error: float, found: bool = True) -> None:
        self.error, self.found = error, found
        self.truth = torch.zeros(0)

    def draw_pairs(self, draw: Draw, atlas: TextureAtlas, batch: int, size: tuple[int, int]) -> ViewPair:
        pairs = random_pairs(draw, atlas, batch, (64, 64))
        self.truth, _ = warp(pairs.a.depth, pairs.b.depth, pairs.K, pairs.K, pairs.T_b_a)
        return pairs

    def __call__(self, a: torch.Tensor, b: torch.Tensor) -> NetworkMatches:
        batch = torch.arange(len(a)).repeat_interleave(64)
        cell = torch.arange(64).repeat(len(a))
        if not self.found:
            batch, cell = batch[:0], cell[:0]
        points = self.truth[batch, cell] + torch.tensor([self.error, 0.0])
        return NetworkMatches(CoarseMatches(batch, cell, cell, torch.ones(len(cell))), cell_points(cell, GRID), points)


@pytest.mark.parametrize(
    ("error", "recall", "precision"), [(0.0, 1.0, 1.0), (1.5, 1.0, 1.0), (6.0, 1.0, 0.0), (9.0, 0.0, 0.0)]
)
def test_figures(
    patterns: TextureAtlas, monkeypatch: pytest.MonkeyPatch, error: float, recall: float, precision: float
) -> None:
    oracle = Oracle(error)
    monkeypatch.setattr("loftr_ros.training.validation.random_pairs", oracle.draw_pairs)
    figures = validate(oracle, patterns, CPU, pairs=8)  # type: ignore[arg-type]
    assert (figures.recall, figures.precision) == (recall, precision)
    assert 5 < figures.matches <= 64
    assert figures.error == pytest.approx(error, abs=1e-3) if recall else math.isnan(figures.error)


def test_no_match_at_all(patterns: TextureAtlas, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = Oracle(0.0, found=False)
    monkeypatch.setattr("loftr_ros.training.validation.random_pairs", oracle.draw_pairs)
    figures = validate(oracle, patterns, CPU, pairs=8)  # type: ignore[arg-type]
    assert (figures.matches, figures.recall, figures.precision) == (0, 0, 0)
