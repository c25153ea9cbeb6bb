"""The ray caster against planes whose depth is known, and against itself from elsewhere."""

import pytest
import torch

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import Scene, pixel_rays, render
from loftr_ros.training.data.scenes import random_pairs, rotation
from loftr_ros.training.data.textures import SIDE, TextureAtlas
from loftr_ros.training.supervision import warp

EYE = torch.eye(4)[None]


def rectangles(*faces: tuple[list[float], list[float], list[float]], texture: int = 0) -> Scene:
    """One scene of rectangles given as center, right and up."""
    center, right, up = (torch.tensor([[face[i] for face in faces]]) for i in range(3))
    ones = torch.ones(1, len(faces))
    return Scene(center, right, up, torch.full((1, len(faces)), texture), ones, ones, 0.5 * ones, ones < 0)


def test_rays_go_through_pixel_centers(camera: torch.Tensor) -> None:
    rays = pixel_rays(camera, 64, 96)
    back = rays @ camera.transpose(1, 2)
    assert back[0, 0].tolist() == pytest.approx([0, 0, 1], abs=1e-4)
    assert back[0, 5 * 96 + 7].tolist() == pytest.approx([7, 5, 1], abs=1e-4)


def test_depth_of_a_plane_across_the_axis(patterns: TextureAtlas, camera: torch.Tensor) -> None:
    view = render(rectangles(([0, 0, 3.0], [9.0, 0, 0], [0, 9.0, 0])), patterns, camera, EYE, (64, 96))
    torch.testing.assert_close(view.depth, torch.full((1, 64, 96), 3.0))
    assert view.image.shape == (1, 1, 64, 96)


def test_depth_of_a_slanted_plane(patterns: TextureAtlas, camera: torch.Tensor) -> None:
    """The plane z = 4 + x / 2: along the ray (x, y, 1) it is met at depth 4 / (1 - x / 2)."""
    view = render(rectangles(([0, 0, 4.0], [20.0, 0, 10.0], [0, 20.0, 0])), patterns, camera, EYE, (64, 96))
    x = (torch.arange(96) - 47.5) / 80
    torch.testing.assert_close(view.depth[0], (4 / (1 - x / 2)).expand(64, 96), rtol=1e-4, atol=1e-4)


def test_depth_of_the_ground_seen_from_a_moved_and_turned_camera(patterns: TextureAtlas, camera: torch.Tensor) -> None:
    """From 1.5 m above the plane y = 0, looking 30 degrees down: depth = 1.5 / (y cos + sin) for the ray (x, y, 1)."""
    pose = EYE.clone()
    pose[0, :3, :3] = rotation(torch.tensor([-torch.pi / 6, 0, 0]))  # y is down, so this looks down
    pose[0, :3, 3] = torch.tensor([3.0, -1.5, 2.0])
    ground = rectangles(([0.0, 0.0, 0.0], [90.0, 0, 0], [0, 0, 90.0]))
    depth = render(ground, patterns, camera, pose, (64, 96)).depth[0]
    y = (torch.arange(64) - 31.5) / 80
    expected = 1.5 / (y * torch.tensor(3).sqrt() / 2 + 0.5)
    torch.testing.assert_close(depth, expected[:, None].expand(64, 96), rtol=1e-3, atol=1e-3)


def test_nearer_surface_hides_the_farther_and_ends_at_its_rim(patterns: TextureAtlas, camera: torch.Tensor) -> None:
    wall, panel = ([0, 0, 4.0], [9.0, 0, 0], [0, 9.0, 0]), ([0, 0, 2.0], [0.5, 0, 0], [0, 0.25, 0])
    for order in ((wall, panel), (panel, wall)):
        depth = render(rectangles(*order), patterns, camera, EYE, (64, 96)).depth[0]
        near = depth == 2.0
        # 0.5 m at 2 m is 20 pixels to both sides of the center, and 0.25 m are 10.
        rows, columns = torch.where(near)
        assert (columns.min(), columns.max(), rows.min(), rows.max()) == (28, 67, 22, 41)
        assert near.sum() == 40 * 20
        torch.testing.assert_close(depth[~near], torch.full((64 * 96 - 800,), 4.0))


def test_nothing_seen_is_infinitely_far_and_black(patterns: TextureAtlas, camera: torch.Tensor) -> None:
    behind = render(rectangles(([0, 0, -3.0], [9.0, 0, 0], [0, 9.0, 0])), patterns, camera, EYE, (64, 96))
    assert behind.depth.isposinf().all()
    assert not behind.image.any()


def test_plane_seen_from_its_edge(patterns: TextureAtlas) -> None:
    """Rays that run in the plane meet it nowhere."""
    K = torch.tensor([[[80.0, 0, 48], [0, 80.0, 32], [0, 0, 1]]])  # row 32 looks exactly along y = 0
    view = render(rectangles(([0, 0, 3.0], [1.0, 0, 0], [0, 0, 1.0])), patterns, K, EYE, (64, 96))
    assert not view.depth.isnan().any()
    assert not view.image.isnan().any()
    assert view.depth[0, 32].isposinf().all()


def test_texture_is_where_it_should_be(camera: torch.Tensor) -> None:
    """A texture of one repetition, dark on the left and bright on the right of its center seam."""
    image = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    image[:, :, : SIDE // 2] = 255  # texture coordinates start at the center of the rectangle
    atlas = TextureAtlas.from_images(image)
    view = render(rectangles(([0, 0, 1.0], [0.5, 0, 0], [0, 0.5, 0])), atlas, camera, EYE, (64, 96))
    gray = view.image[0, 0, 32]
    assert (gray[50:80] > 0.95).all()
    assert (gray[15:45] < 0.05).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_both_views_show_the_same_surfaces(patterns: TextureAtlas, seed: int) -> None:
    """Gray values of a, fetched from b by depth and pose, agree: depth, pose and texture are of one world."""
    pairs = random_pairs(Draw(seed, torch.device("cpu")), patterns, 4, (96, 128))
    pixels, valid = warp(pairs.a.depth, pairs.b.depth, pairs.K, pairs.K, pairs.T_b_a)
    gray_a = pairs.a.image[:, 0, ::8, ::8].flatten(1)
    scaled = (pixels + 0.5) / torch.tensor([128.0, 96.0]) * 2 - 1
    gray_b = torch.nn.functional.grid_sample(
        pairs.b.image, scaled[:, :, None], mode="bilinear", padding_mode="border", align_corners=False
    )[:, 0, :, 0]
    assert valid.float().mean() > 0.3
    difference = (gray_a - gray_b)[valid].abs()
    chance = (gray_a[valid] - gray_a[valid].roll(7)).abs()
    assert difference.median() < 0.015
    assert difference.mean() < 0.3 * chance.mean()


def test_pairs_depend_on_the_seed_only(patterns: TextureAtlas) -> None:
    first, again, other = (random_pairs(Draw(s, torch.device("cpu")), patterns, 2, (64, 64)) for s in (1, 1, 2))
    assert torch.equal(first.b.image, again.b.image)
    assert not torch.equal(first.b.image, other.b.image)


def test_rooms_are_closed_and_poses_are_rigid(patterns: TextureAtlas) -> None:
    pairs = random_pairs(Draw(3, torch.device("cpu")), patterns, 16, (64, 64))
    for view in (pairs.a, pairs.b):
        assert view.depth.isfinite().float().mean() > 0.9  # only things that move have none
        assert (view.depth > 0).all()
        assert view.image.min() >= 0
        assert view.image.max() <= 1
    R = pairs.T_b_a[:, :3, :3]
    torch.testing.assert_close(R @ R.transpose(1, 2), torch.eye(3).expand(16, 3, 3), rtol=0, atol=1e-5)
    assert (torch.linalg.det(R) > 0).all()
