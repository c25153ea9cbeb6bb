"""What an image looks like before it is matched."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.images.image_quality import ImageQuality
from loftr_ros.odometry.states import LostReason

Image = NDArray[np.uint8]


def fault(image: Image, reference: Image) -> LostReason | None:
    return ImageQuality.of(image).fault(ImageQuality.of(reference))


def test_a_good_image_has_no_fault(texture: Image) -> None:
    assert fault(texture, texture) is None
    assert ImageQuality.of(texture).fault(None) is None


@pytest.mark.parametrize(
    ("level", "reason"), [(0, LostReason.DARK), (255, LostReason.OVEREXPOSED), (128, LostReason.NO_TEXTURE)]
)
def test_noise_is_unusable(level: int, reason: LostReason) -> None:
    noise = np.random.default_rng(1).normal(level, 3, (480, 640))
    quality = ImageQuality.of(np.clip(noise, 0, 255).astype(np.uint8))
    assert quality.is_unusable
    assert quality.fault(None) is reason


def test_lights_at_night_are_dark_but_usable(texture: Image) -> None:
    night = (texture / 40).astype(np.uint8)
    night[::40, ::40] = 255
    night[1::40, 1::40] = 255
    quality = ImageQuality.of(night)
    assert quality.fault(None) is LostReason.DARK
    assert not quality.is_unusable


def test_glare_over_half_the_image_is_overexposed_but_usable(texture: Image) -> None:
    glare = np.where(np.arange(texture.shape[1]) < 0.6 * texture.shape[1], np.uint8(255), texture)
    assert fault(glare, texture) is LostReason.OVEREXPOSED
    assert not ImageQuality.of(glare).is_unusable


@pytest.mark.parametrize("kernel", [(25, 1), (1, 25), (15, 15)])
def test_blur_in_any_direction_shows_against_a_sharp_view(texture: Image, kernel: tuple[int, int]) -> None:
    blurred = np.asarray(cv2.blur(texture, kernel), np.uint8)
    assert fault(blurred, texture) is LostReason.BLURRED
    assert ImageQuality.of(blurred).fault(None) is None
    assert not ImageQuality.of(blurred).is_unusable


def test_light_and_a_little_blur_are_no_fault(texture: Image) -> None:
    dimmed = (texture * 0.3 + 10).astype(np.uint8)
    assert fault(dimmed, texture) is None
    assert fault(np.asarray(cv2.blur(texture, (3, 3)), np.uint8), texture) is None


def test_images_of_any_size(texture: Image) -> None:
    for image in (texture[:64, :64], np.kron(texture, np.ones((7, 7), np.uint8))[:-3, :-5]):
        assert ImageQuality.of(np.ascontiguousarray(image)).fault(None) is None
