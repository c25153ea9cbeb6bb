"""Pictures on a wall: the two images really are related by one homography."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from loftr_ros.training.data.homographies import Homographies
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.scenes import ViewPair
from loftr_ros.training.data.textures import TextureAtlas
from loftr_ros.training.supervision import warp

CPU = torch.device("cpu")


@pytest.fixture
def pairs(patterns: TextureAtlas) -> ViewPair:
    return Homographies(patterns).draw(Draw(0, CPU), 6, (96, 128))


def test_one_homography_explains_every_cell(pairs: ViewPair) -> None:
    pixels, valid = warp(*pairs.geometry)
    assert valid.sum(dim=1).min() > 20
    cells = np.array([(8 * x, 8 * y) for y in range(12) for x in range(16)], np.float64)
    for there, seen in zip(pixels.double().numpy(), valid.numpy(), strict=True):
        H, _ = cv2.findHomography(cells[seen], there[seen], 0)
        again = cv2.perspectiveTransform(cells[seen][None], H)[0]
        assert np.abs(again - there[seen]).max() < 0.2  # the wall is a millimeter behind the picture


def test_images_agree_with_the_ground_truth(pairs: ViewPair, unexplained: Callable[[ViewPair], float]) -> None:
    assert unexplained(pairs) < 0.15


def test_wall_fills_what_the_picture_leaves(pairs: ViewPair) -> None:
    assert pairs.a.depth.isfinite().all()
    assert pairs.b.depth.isfinite().float().mean() > 0.95  # a wide lens, tilted, looks past its end


def test_pairs_depend_on_the_seed_only(patterns: TextureAtlas) -> None:
    first, again, other = (Homographies(patterns).draw(Draw(s, CPU), 2, (64, 64)) for s in (1, 1, 2))
    assert torch.equal(first.b.image, again.b.image)
    assert not torch.equal(first.b.image, other.b.image)
