import numpy as np
import pytest

from loftr_ros.odometry.images.gray_levels import to_eight_bits


def scene(low: int, high: int) -> np.ndarray:
    """Return smooth content between two counts, with a few hot and dead pixels."""
    v, u = np.mgrid[:120, :160]
    image = np.asarray(low + (high - low) * (0.5 + 0.5 * np.sin(u / 9) * np.cos(v / 7)), np.uint16)
    image[::40, ::40] = 65535
    image[20::40, 20::40] = 0
    return image


@pytest.mark.parametrize(("low", "high"), [(0, 1023), (100, 4000), (7300, 7810), (40000, 40300), (0, 65535)])
def test_content_fills_most_of_the_gray_levels(low: int, high: int) -> None:
    gray = to_eight_bits(scene(low, high))
    assert gray.dtype == np.uint8
    inner = gray[1:20, 1:20]
    assert np.ptp(np.percentile(gray, (2, 98))) > 150
    assert np.corrcoef(inner.ravel(), scene(low, high)[1:20, 1:20].ravel())[0, 1] > 0.99


def test_eight_bits_stay_as_they_are() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert to_eight_bits(image) is image


def test_small_changes_of_the_content_do_not_change_the_levels() -> None:
    first, second = scene(7300, 7810), scene(7304, 7806)
    difference = to_eight_bits(first).astype(int) - to_eight_bits(second)
    assert np.abs(difference).max() <= 3


def test_noise_without_content_stays_weak() -> None:
    noise = np.random.default_rng(1).integers(500, 504, (120, 160)).astype(np.uint16)
    assert to_eight_bits(noise).std() < 12


@pytest.mark.parametrize("value", [0, 65535])
def test_images_of_one_value(value: int) -> None:
    assert np.ptp(to_eight_bits(np.full((4, 4), value, np.uint16))) == 0


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="float32"):
        to_eight_bits(np.zeros((4, 4), np.float32))
