"""Windows of the fine map, and where in them the heat map points."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from loftr_ros.loftr.network.coarse_matching import CoarseMatches
from loftr_ros.loftr.network.config import LoFTRConfig
from loftr_ros.loftr.network.fine_matching import FineMatching, FinePreprocess
from loftr_ros.loftr.network.model import FeatureMaps, LoFTR


@pytest.fixture
def numbered() -> torch.Tensor:
    """(2, 1, 8, 12): every fine cell holds its own number, from one; of 2 x 3 coarse cells."""
    return torch.arange(1.0, 2 * 96 + 1).reshape(2, 1, 8, 12)


def _cut(numbered: torch.Tensor, batch: int, cell: int) -> torch.Tensor:
    preprocess = FinePreprocess(LoFTRConfig())
    windows = preprocess._cut(preprocess.pad(numbered), torch.tensor([batch]), torch.tensor([cell]), 3)
    return windows[0, :, 0].reshape(5, 5)


def test_window_is_centered_on_its_cell(numbered: torch.Tensor) -> None:
    window = _cut(numbered, 1, 4)  # cell (1, 1): fine cell (4, 4)
    assert torch.equal(window, numbered[1, 0, 2:7, 2:7])


def test_window_at_the_first_corner_is_padded_with_zeros(numbered: torch.Tensor) -> None:
    window = _cut(numbered, 0, 0)
    assert torch.equal(window[2:, 2:], numbered[0, 0, :3, :3])
    assert not window[:2].any()
    assert not window[:, :2].any()


def test_window_at_the_last_corner(numbered: torch.Tensor) -> None:
    """The last coarse cell starts four fine cells before the end: its window needs no padding."""
    assert torch.equal(_cut(numbered, 0, 5), numbered[0, 0, 2:7, 6:11])


@pytest.mark.parametrize("cell", [(0, 0), (2, 2), (1, 3), (4, 0)])
def test_expectation_at_a_peak(cell: tuple[int, int]) -> None:
    row, column = cell
    windows_a, windows_b = torch.zeros(1, 25, 4), torch.zeros(1, 25, 4)
    windows_a[0, 12] = 100
    windows_b[0, row * 5 + column] = 1
    found = FineMatching(LoFTRConfig())(windows_a, windows_b)
    assert found.mean[0].tolist() == pytest.approx([column / 2 - 1, row / 2 - 1], abs=1e-6)
    assert found.deviation.item() < 1e-3


def test_expectation_between_two_peaks() -> None:
    windows_a, windows_b = torch.zeros(1, 25, 4), torch.zeros(1, 25, 4)
    windows_a[0, 12] = 100
    windows_b[0, 12] = windows_b[0, 13] = 1  # the middle and the cell on its right
    found = FineMatching(LoFTRConfig())(windows_a, windows_b)
    assert found.mean[0].tolist() == pytest.approx([0.25, 0.0], abs=1e-6)
    assert found.deviation.item() == pytest.approx(0.25, abs=1e-3)


def test_flat_heat_map_says_nothing() -> None:
    found = FineMatching(LoFTRConfig())(torch.zeros(1, 25, 4), torch.rand(1, 25, 4))
    assert found.mean[0].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert found.deviation.item() == pytest.approx(2 * 0.5**0.5)  # two of five places from -1 to 1


def test_offset_of_one_fine_cell_is_two_pixels(tiny_config: LoFTRConfig) -> None:
    """A fine map of b that is that of a, moved right by one fine cell, answers (2, 0) pixels in every window."""
    config = replace(tiny_config, fine=replace(tiny_config.fine, layers=()), fine_context=False)
    model = LoFTR(config)
    # Of one length, so that nothing is as much like a feature as itself.
    fine = 30 * F.normalize(torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(0)))
    coarse = torch.zeros(1, 16, 8, 8)
    a, b = FeatureMaps(coarse, fine), FeatureMaps(coarse, fine.roll(1, dims=3))
    cells = torch.tensor([9, 18, 27, 36])
    matches = CoarseMatches(torch.zeros_like(cells), cells, cells, torch.ones(4))
    tokens = torch.zeros(1, 64, 16)
    pixels = model.refine(a, b, (tokens, tokens), matches).mean * model.window_radius
    torch.testing.assert_close(pixels, torch.tensor([[2.0, 0.0]]).repeat(4, 1), rtol=0, atol=1e-3)
