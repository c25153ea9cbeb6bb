"""Vignetting, night noise and JPEG: each does what it says, and nothing where it is not asked for."""

import cv2
import numpy as np
import pytest
import torch

from loftr_ros.training.data.augmentation import photometric
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.sensor import compressed, night, vignetted

CPU = torch.device("cpu")


def photos(count: int = 64) -> torch.Tensor:
    """Smooth images with edges."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    image = 0.3 + 0.2 * (9 * x).sin() * (7 * y).cos() + 0.3 * (x + y > 1)
    return image.expand(count, 1, 64, 64).clone()


def test_corners_are_darker_and_the_center_is_not() -> None:
    images = photos()
    ratio = vignetted(Draw(0, CPU), images, 1.0) / images
    assert ratio[:, 0, 31:33, 31:33].min() > 0.999
    corner = ratio[:, 0, 0, 0]
    assert 0.2 < (corner < 0.99).float().mean() < 0.6
    assert corner.min() > 0.3


def test_night_noise_grows_with_light() -> None:
    images = torch.cat([torch.full((40, 1, 32, 32), 0.05), torch.full((40, 1, 32, 32), 0.8)], dim=3)
    noise = night(Draw(0, CPU), images, 1.0) - images
    dark, bright = noise[..., :32].std((1, 2, 3)), noise[..., 32:].std((1, 2, 3))
    noisy = dark > 0
    assert 0.05 < noisy.float().mean() < 0.4
    assert (bright[noisy] > 2 * dark[noisy]).all()


@pytest.mark.parametrize("quality", [50])
def test_compression_is_that_of_jpeg(quality: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At quality 50 the error is that of OpenCV's encoder, which rounds to whole gray values, too."""
    images = photos(1)
    draw = Draw(0, CPU)
    monkeypatch.setattr(draw, "log_uniform", lambda low, high, *shape: torch.ones(shape))
    monkeypatch.setattr(draw, "chance", lambda probability, *shape: torch.ones(shape, dtype=torch.bool))
    ours = compressed(draw, images, 1.0)[0, 0].numpy() * 255
    plain = (images[0, 0].numpy() * 255).round().astype(np.uint8)
    file = cv2.imencode(".jpg", plain, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    theirs = cv2.imdecode(file, cv2.IMREAD_GRAYSCALE)
    assert theirs is not None
    error = np.abs(theirs.astype(float) - plain).mean()
    assert np.abs(ours - theirs).mean() < 0.35 * error
    assert error > 0.5


def test_compression_of_some_only() -> None:
    images = photos()
    changed = ((compressed(Draw(0, CPU), images, 1.0) - images).abs().amax((1, 2, 3)) > 1e-4).float().mean()
    assert 0.2 < changed < 0.6


def test_no_difficulty_draws_as_ever() -> None:
    """Validation and earlier runs: the same numbers are drawn."""
    images = photos(4)
    assert torch.equal(photometric(Draw(3, CPU), images), photometric(Draw(3, CPU), images, 0.0))
    assert not torch.equal(photometric(Draw(3, CPU), images), photometric(Draw(3, CPU), images, 1.0))
