"""Which cells see the same place, worked out by hand."""

import pytest
import torch

from loftr_ros.loftr.network.model import cell_points
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.scenes import random_pairs
from loftr_ros.training.data.textures import TextureAtlas
from loftr_ros.training.supervision import TrueMatches, fine_targets, true_matches, warp

EYE = torch.eye(4)[None]
GRID = (8, 12)  # of 64 x 96 images


def _plane(depth: float) -> torch.Tensor:
    return torch.full((1, 64, 96), depth)


def _moved(x: float, y: float, z: float = 0.0) -> torch.Tensor:
    T_b_a = EYE.clone()
    T_b_a[0, :3, 3] = torch.tensor([x, y, z])
    return T_b_a


@pytest.mark.parametrize("depth", [2.0, 3.7])
def test_same_view_matches_every_cell_with_itself(camera: torch.Tensor, depth: float) -> None:
    """Also at the rim, where rounding puts points outside."""
    found = true_matches(_plane(depth), _plane(depth), camera, camera, EYE)
    assert found.cell_a.tolist() == found.cell_b.tolist() == list(range(96))
    torch.testing.assert_close(found.point_b, cell_points(found.cell_a, GRID), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("shift", "kept"), [(-0.4, 12), (-0.6, 11), (7.4, 12), (7.6, 11)])
def test_image_ends_half_a_pixel_beyond_the_outer_centers(camera: torch.Tensor, shift: float, kept: int) -> None:
    """Cells start at pixels 0 to 88 of 96: the first leaves after half a pixel, the last one after seven and a half."""
    _, valid = warp(_plane(1.0), _plane(1.0), camera, camera, _moved(shift / 80, 0))
    assert valid.view(8, 12).sum(dim=1).tolist() == [kept] * 8


def test_sideways_motion_moves_cells(camera: torch.Tensor) -> None:
    """0.2 m at 1 m with 80 pixels of focal length are 16 pixels: two cells to the right, and none leaves the rows."""
    found = true_matches(_plane(1.0), _plane(1.0), camera, camera, _moved(0.2, 0))
    rows, columns = found.cell_a // 12, found.cell_a % 12
    assert torch.equal(found.cell_b, found.cell_a + 2)
    assert set(columns.tolist()) == set(range(10))
    assert set(rows.tolist()) == set(range(8))
    torch.testing.assert_close(found.point_b, cell_points(found.cell_a, GRID) + torch.tensor([16.0, 0]))


def test_two_cameras(camera: torch.Tensor) -> None:
    """Image b with another lens and of another size: half the focal length and half the pixels."""
    K_b = torch.tensor([[[40.0, 0, 23.5], [0, 40.0, 15.5], [0, 0, 1]]])
    pixels, valid = warp(_plane(1.0), torch.ones(1, 32, 48), camera, K_b, EYE)
    expected = (cell_points(torch.arange(96), GRID) - torch.tensor([47.5, 31.5])) / 2 + torch.tensor([23.5, 15.5])
    torch.testing.assert_close(pixels[0], expected, rtol=0, atol=1e-4)
    assert valid.all()


def test_hidden_cells_are_not_matched(camera: torch.Tensor) -> None:
    """Something at half the depth stands before the left half of b."""
    depth_b = _plane(2.0)
    depth_b[:, :, :48] = 1.0
    _, valid = warp(_plane(2.0), depth_b, camera, camera, EYE)
    columns = torch.arange(96) % 12
    assert not valid[0, columns < 6].any()
    assert valid[0, columns >= 6].all()
    assert (true_matches(_plane(2.0), depth_b, camera, camera, EYE).cell_a % 12 >= 6).all()


@pytest.mark.parametrize("unknown", [0.0, float("inf"), float("nan")])
def test_cells_without_depth_are_not_matched(camera: torch.Tensor, unknown: float) -> None:
    depth = _plane(2.0)
    depth[0, 24, 40] = unknown  # cell (3, 5)
    pixels, valid = warp(depth, _plane(2.0), camera, camera, EYE)
    assert not valid[0, 3 * 12 + 5]
    assert valid[0, 3 * 12 + 4]
    assert pixels.isfinite().all()
    everywhere = torch.full_like(depth, unknown)
    assert len(true_matches(everywhere, everywhere, camera, camera, EYE).batch) == 0


def test_points_behind_the_camera_are_not_matched(camera: torch.Tensor) -> None:
    pixels, valid = warp(_plane(2.0), _plane(2.0), camera, camera, _moved(0, 0, -3.0))
    assert not valid.any()
    assert pixels.isfinite().all()


def test_matches_are_mutual_and_near(patterns: TextureAtlas) -> None:
    pairs = random_pairs(Draw(3, torch.device("cpu")), patterns, 4, (96, 128))
    forth = true_matches(*pairs.geometry)
    back = true_matches(pairs.b.depth, pairs.a.depth, pairs.K, pairs.K, torch.linalg.inv(pairs.T_b_a))

    def triples(batch: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> set[tuple[int, int, int]]:
        return set(zip(batch.tolist(), first.tolist(), second.tolist(), strict=True))

    there = triples(forth.batch, forth.cell_a, forth.cell_b)
    again = triples(back.batch, back.cell_b, back.cell_a)
    assert len(there) > 50
    assert len(there & again) > 0.98 * max(len(there), len(again))  # the inverse is only nearly the same
    assert len({(b, c) for b, c, _ in there}) == len({(b, c) for b, _, c in there}) == len(there)
    offset = (forth.point_b - cell_points(forth.cell_b, (12, 16))).abs().amax(dim=1)
    inner = ((forth.cell_b % 16) < 15) & ((forth.cell_b // 16) < 11)
    assert (offset[inner] <= 4 + 1e-3).all()


def test_fine_targets_are_in_half_windows() -> None:
    zero, cell = torch.zeros(3, dtype=torch.int64), torch.tensor([14, 14, 14])  # (1, 2): pixel (16, 8)
    matches = TrueMatches(zero, zero, cell, torch.tensor([[16.0, 8], [20, 4], [15, 8.5]]))
    expected = torch.tensor([[0, 0], [1, -1], [-0.25, 0.125]])
    torch.testing.assert_close(fine_targets(matches, GRID, 4), expected)


def test_pick() -> None:
    matches = TrueMatches(*(torch.arange(3) + 10 * i for i in range(3)), torch.rand(3, 2))
    picked = matches.pick(torch.tensor([2, 0, 2]))
    assert (picked.batch.tolist(), picked.cell_b.tolist()) == ([2, 0, 2], [22, 20, 22])
    assert torch.equal(picked.point_b[0], matches.point_b[2])
