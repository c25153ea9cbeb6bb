"""Textures: mip levels, repetition, and folders of photos."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.textures import SIDE, TextureAtlas, TextureError, pattern_atlas, photo_atlas


@pytest.fixture
def random_atlas() -> tuple[torch.Tensor, TextureAtlas]:
    images = torch.randint(256, (3, SIDE, SIDE), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    return images, TextureAtlas.from_images(images)


def _centers(rows: torch.Tensor, columns: torch.Tensor, side: int) -> torch.Tensor:
    return torch.stack([(columns + 0.5) / side, (rows + 0.5) / side], dim=1)


def test_texel_centers_give_texels(random_atlas: tuple[torch.Tensor, TextureAtlas]) -> None:
    images, atlas = random_atlas
    rows, columns, which = torch.tensor([0, 7, 255]), torch.tensor([3, 0, 254]), torch.tensor([0, 1, 2])
    sampled = atlas.sample(which, _centers(rows, columns, SIDE), torch.ones(3))
    torch.testing.assert_close(sampled, images[which, rows, columns] / 255)


def test_between_texels_is_bilinear(random_atlas: tuple[torch.Tensor, TextureAtlas]) -> None:
    images, atlas = random_atlas
    uv = torch.tensor([[(10 + 1.0) / SIDE, (20 + 0.5) / SIDE]])  # half-way between columns 10 and 11 of row 20
    expected = images[1, 20, 10:12].float().mean() / 255
    assert atlas.sample(torch.tensor([1]), uv, torch.ones(1)).item() == pytest.approx(expected.item(), abs=1e-4)


@pytest.mark.parametrize("level", [1, 3, 7])
def test_levels_average_blocks(random_atlas: tuple[torch.Tensor, TextureAtlas], level: int) -> None:
    images, atlas = random_atlas
    block = 2**level
    sampled = atlas.sample(torch.tensor([2]), _centers(torch.tensor([1]), torch.tensor([0]), SIDE // block),
                           torch.tensor([float(block)]))  # fmt: skip
    expected = images[2, block : 2 * block, :block].float().mean() / 255
    assert sampled.item() == pytest.approx(expected.item(), abs=1.5 / 255)  # every level is rounded


def test_between_levels_is_linear(random_atlas: tuple[torch.Tensor, TextureAtlas]) -> None:
    _, atlas = random_atlas
    which, uv = torch.tensor([0]), torch.tensor([[0.3, 0.6]])
    fine, half, coarse = (atlas.sample(which, uv, torch.tensor([2.0**level])) for level in (2, 2.5, 3))
    torch.testing.assert_close(half, (fine + coarse) / 2)


def test_footprint_beyond_every_level(random_atlas: tuple[torch.Tensor, TextureAtlas]) -> None:
    images, atlas = random_atlas
    sampled = atlas.sample(torch.tensor([0]), torch.tensor([[0.3, 0.6]]), torch.tensor([1e9]))
    assert sampled.item() == pytest.approx(images[0].float().mean().item() / 255, abs=0.02)


@pytest.mark.parametrize("shift", [(1.0, 0.0), (0.0, -1.0), (-3.0, 2.0)])
@pytest.mark.parametrize("footprint", [1.0, 3.0, 40.0])
def test_textures_repeat(
    random_atlas: tuple[torch.Tensor, TextureAtlas], shift: tuple[float, float], footprint: float
) -> None:
    _, atlas = random_atlas
    uv = torch.rand(50, 2, generator=torch.Generator().manual_seed(1))
    which, size = torch.zeros(50, dtype=torch.int64), torch.full((50,), footprint)
    moved = atlas.sample(which, uv + torch.tensor(shift), size)
    torch.testing.assert_close(moved, atlas.sample(which, uv, size), rtol=0, atol=2e-3)


def test_repetition_is_seamless(random_atlas: tuple[torch.Tensor, TextureAtlas]) -> None:
    """At the seam the first and the last texel are mixed."""
    images, atlas = random_atlas
    seam = atlas.sample(torch.tensor([0]), torch.tensor([[0.0, 0.5 / SIDE]]), torch.ones(1))
    expected = (images[0, 0, 0].float() + images[0, 0, -1].float()) / 510
    assert seam.item() == pytest.approx(expected.item(), abs=1e-4)


def test_patterns_have_contrast_and_depend_on_the_seed_only() -> None:
    cpu = torch.device("cpu")
    first, again, other = (pattern_atlas(Draw(seed, cpu), 6) for seed in (1, 1, 2))
    assert torch.equal(first.texels, again.texels)
    assert not torch.equal(first.texels, other.texels)
    images = first.texels[: 6 * SIDE * SIDE].view(6, -1).float()
    assert (images.std(dim=1) > 20).all()


def without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)


@pytest.mark.parametrize("pillow", [True, False])
def test_photos_are_read_in_order_and_cropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pillow: bool) -> None:
    if not pillow:
        without_pillow(monkeypatch)
    wide = np.zeros((SIDE, 2 * SIDE, 3), np.uint8)
    wide[:, SIDE // 2 : SIDE // 2 + SIDE] = 200  # the central square
    cv2.imwrite(str(tmp_path / "b.png"), wide)
    cv2.imwrite(str(tmp_path / "a.jpg"), np.full((30, 20), 90, np.uint8))
    (tmp_path / "notes.txt").write_text("no photo")
    atlas = photo_atlas(tmp_path)
    assert atlas.count == 2
    images = atlas.texels[: 2 * SIDE * SIDE].view(2, SIDE, SIDE).float()
    assert images[0].mean().item() == pytest.approx(90, abs=2)
    assert images[1].min() == 200


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_folder_without_photos(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TextureError, match=f"{folder} has no .jpg or .png"):
        photo_atlas(tmp_path / folder)


@pytest.mark.parametrize(("keep", "pillow"), [(10, True), (400, True), (10, False)])
def test_damaged_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: int, pillow: bool) -> None:
    if not pillow:
        without_pillow(monkeypatch)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "bad.png"), noise)
    (tmp_path / "bad.png").write_bytes((tmp_path / "bad.png").read_bytes()[:keep])
    with pytest.raises(TextureError, match=r"bad\.png cannot be decoded"):
        photo_atlas(tmp_path)
