"""Photometric augmentation keeps what training relies on."""

import torch

from loftr_ros.training.data.augmentation import photometric
from loftr_ros.training.data.random import Draw

CPU = torch.device("cpu")


def _images() -> torch.Tensor:
    return torch.rand(6, 1, 64, 80, generator=torch.Generator().manual_seed(0))


def test_shape_and_range() -> None:
    images = _images()
    before = images.clone()
    for seed in range(5):
        out = photometric(Draw(seed, CPU), images)
        assert out.shape == images.shape
        assert out.isfinite().all()
        assert out.min() >= 0
        assert out.max() <= 1
    assert torch.equal(images, before)


def test_depends_on_the_seed_only() -> None:
    first, again, other = (photometric(Draw(seed, CPU), _images()) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_image_is_changed_apart() -> None:
    same = _images()[:1].expand(6, 1, 64, 80).contiguous()
    out = photometric(Draw(1, CPU), same)
    assert all(not torch.equal(out[0], out[i]) for i in range(1, 6))


def test_nothing_moves() -> None:
    """Light, blur and noise, but no shift: the center of a bright square stays."""
    square = torch.zeros(40, 1, 65, 65)
    square[:, :, 24:41, 24:41] = 1
    out = (photometric(Draw(1, CPU), square) - 0.5).clamp(min=0)
    out = out[out.sum((1, 2, 3)) > 20]
    assert len(out) > 20
    weight = out / out.sum((1, 2, 3), keepdim=True)
    axis = torch.arange(65.0)
    x, y = (weight.sum((1, 2)) * axis).sum(1), (weight.sum((1, 3)) * axis).sum(1)
    assert (x.median() - 32).abs() < 0.1
    assert (y.median() - 32).abs() < 0.1
