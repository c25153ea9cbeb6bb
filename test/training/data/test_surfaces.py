"""Procedural surfaces: contrast, seams, repeatability, and what single kinds must show."""

import pytest
import torch

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.textures.atlas import SIDE
from loftr_ros.training.data.textures.cells import bricks, facades
from loftr_ros.training.data.textures.noise import shift, spectral_noise
from loftr_ros.training.data.textures.surfaces import KINDS, surface, surface_atlas

CPU = torch.device("cpu")
KNOWN_SEAMS = {"signs", "shelves"}  # which end at their rims


@pytest.mark.parametrize("kind", KINDS)
def test_contrast(kind: str) -> None:
    images = surface(Draw(3, CPU), KINDS[kind], 6)
    assert images.shape == (6, SIDE, SIDE)
    assert images.dtype == torch.uint8
    assert (images.float().std((1, 2)) > 8).all()
    flat = images.float().flatten(1)
    assert torch.corrcoef(flat).fill_diagonal_(0).max() < 0.97  # all differ


@pytest.mark.parametrize("kind", sorted(set(KINDS) - KNOWN_SEAMS))
def test_repetitions_join(kind: str) -> None:
    """The step from the last row or column to the first is not larger than the largest inside."""
    images = surface(Draw(4, CPU), KINDS[kind], 6).float()
    for axis in (1, 2):
        steps = (images - images.roll(1, axis)).abs().mean(3 - axis)
        assert (steps[:, 0] <= 1.25 * steps[:, 1:].amax(1) + 1).all()


def test_depends_on_the_seed_only_and_has_all_kinds() -> None:
    first, again, other = (surface_atlas(Draw(seed, CPU), len(KINDS) + 1) for seed in (1, 1, 2))
    assert first.count == len(KINDS) + 1
    assert torch.equal(first.texels, again.texels)
    assert not torch.equal(first.texels, other.texels)


def test_spectra_differ_in_slope() -> None:
    noise = spectral_noise(Draw(0, CPU), 24)
    torch.testing.assert_close(noise.std((1, 2)), torch.ones(24), rtol=1e-4, atol=0)
    roughness = (noise - noise.roll(1, 2)).std((1, 2))
    assert roughness.min() < 0.2
    assert roughness.max() > 0.8


def test_shift_goes_around_the_rims() -> None:
    images = spectral_noise(Draw(0, CPU), 3)
    moved = shift(Draw(1, CPU), images)
    assert not torch.equal(moved, images)
    torch.testing.assert_close(moved.flatten(1).sort()[0], images.flatten(1).sort()[0])


def test_bricks_are_in_courses() -> None:
    """Horizontal joints go all the way, vertical ones do not."""
    images = bricks(Draw(1, CPU), 32)
    assert images.mean(2).std(1).mean() > 1.3 * images.mean(1).std(1).mean()


def test_windows_of_a_facade_differ() -> None:
    """Moved by whole windows a facade is nearly the same, but not quite: its panes differ."""
    images = facades(Draw(1, CPU), 40)
    spread = (images - images.mean((1, 2), keepdim=True)).abs().mean((1, 2))
    moved = torch.stack([(images - images.roll(SIDE // n, 2)).abs().mean((1, 2)) for n in range(2, 7)])
    best = moved.amin(0) / spread
    assert best.median() < 0.5
    assert (best > 0).float().mean() > 0.8
