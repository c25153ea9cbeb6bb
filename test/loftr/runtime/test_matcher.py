"""The matcher: features once, matches many times, in pixels of the original images."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.loftr.runtime.device import MatcherError, find_device
from loftr_ros.loftr.runtime.inference import _network_image
from loftr_ros.loftr.runtime.matcher import LoftrMatcher, _to_original, network_size
from loftr_ros.matches import Matches

Gray = NDArray[np.uint8]


def match(matcher: LoftrMatcher, a: Gray, b: Gray) -> Matches:
    return matcher.match(matcher.extract(a), matcher.extract(b))


def test_features_once_is_the_same_as_pairwise(tiny_matcher: LoftrMatcher, tiny_model: LoFTR, texture: Gray) -> None:
    images = [texture, np.roll(texture, 6, 1), np.ascontiguousarray(texture[::-1])]
    features = [tiny_matcher.extract(image) for image in images]
    for a, b in ((0, 1), (0, 2), (1, 0), (0, 1)):
        found = tiny_matcher.match(features[a], features[b])
        with torch.inference_mode():
            pairwise = tiny_model(*(torch.from_numpy(images[i])[None, None] / 255 for i in (a, b)))
        assert len(found) > 20
        np.testing.assert_array_equal(found.cell_a, pairwise.coarse.cell_a)
        np.testing.assert_allclose(found.points_b, pairwise.points_b, atol=1e-4)
        np.testing.assert_allclose(found.confidence, pairwise.coarse.confidence, rtol=1e-4)


def test_batches_do_not_mix(tiny_model: LoFTR, texture: Gray) -> None:
    image = torch.from_numpy(texture)[None, None] / 255
    a, b = torch.cat([image, image.flip(2)]), torch.cat([image.roll(8, 3), image.flip(3)])
    with torch.inference_mode():
        both = tiny_model(a, b)
        alone = tiny_model(a[1:], b[1:])
    second = both.coarse.batch == 1
    assert second.any()
    torch.testing.assert_close(both.coarse.cell_a[second], alone.coarse.cell_a)
    torch.testing.assert_close(both.points_b[second], alone.points_b, rtol=0, atol=1e-3)


def test_kinds_of_arrays(tiny_matcher: LoftrMatcher, texture: Gray) -> None:
    found = match(tiny_matcher, texture, texture)
    kinds = [value.dtype.name for value in (found.points_a, found.points_b, found.confidence, found.cell_a)]
    assert kinds == ["float32", "float32", "float32", "int64"]
    assert found.points_a.shape == found.points_b.shape == (len(found), 2)


def test_points_a_are_the_centers_of_distinct_cells(tiny_matcher: LoftrMatcher, texture: Gray) -> None:
    found = match(tiny_matcher, texture, np.roll(texture, 3, 1))
    assert len(set(found.cell_a)) == len(found)
    columns = 320 // 8
    np.testing.assert_array_equal(found.points_a, 8 * np.stack([found.cell_a % columns, found.cell_a // columns], 1))


def test_same_cell_in_every_match_of_an_image(tiny_matcher: LoftrMatcher, texture: Gray) -> None:
    """What tracks are made of: a cell of image a has the same point, whatever it is matched against."""
    a = tiny_matcher.extract(texture)
    first, second = (
        tiny_matcher.match(a, tiny_matcher.extract(np.ascontiguousarray(image)))
        for image in (np.roll(texture, 8, 1), texture[:160])
    )
    common, i, j = np.intersect1d(first.cell_a, second.cell_a, return_indices=True)
    assert len(common) > 5
    np.testing.assert_array_equal(first.points_a[i], second.points_a[j])


def test_shift_by_one_cell(local_matcher: LoftrMatcher, texture: Gray) -> None:
    """Moved by a whole cell, features are the same features: every point moves by exactly 8 pixels."""
    found = match(local_matcher, texture, np.roll(texture, (8, 16), (0, 1)))
    moved = found.points_b - found.points_a
    # The network without attention sees at most 48 pixels around a cell; the seam of the shift is left out.
    inside = ((found.points_a > 48) & (found.points_a < np.array([320, 200]) - 72)).all(axis=1)
    assert inside.sum() > 50
    centers = np.median(moved[inside], axis=0)
    np.testing.assert_allclose(centers, [16, 8], atol=2.0)
    again = match(local_matcher, texture, texture)
    where = dict(zip(again.cell_a, again.points_b, strict=True))
    same = [
        (where[cell], point) for cell, point in zip(found.cell_a[inside], found.points_b[inside], strict=True)
        if cell in where
    ]  # fmt: skip
    assert len(same) > 50
    np.testing.assert_allclose([b - a for a, b in same], np.tile([16.0, 8.0], (len(same), 1)), atol=1e-2)


def test_different_sizes(tiny_matcher: LoftrMatcher, texture: Gray) -> None:
    small = np.ascontiguousarray(texture[:120, :104])
    found = match(tiny_matcher, texture, small)
    assert len(found) > 5
    assert (found.points_b.min(0) >= -4).all()
    assert (found.points_b.max(0) < np.array([104, 120]) + 4).all()


def test_points_scale_with_each_axis(
    local_matcher: LoftrMatcher, texture: Gray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pixel doubled in x and tripled in y: a cell's center p lies at 2p + 0.5 and 3p + 1."""
    large = texture.repeat(3, axis=0).repeat(2, axis=1)
    monkeypatch.setattr("loftr_ros.loftr.runtime.matcher.network_size", lambda *_: texture.shape)
    found, small = match(local_matcher, large, texture), match(local_matcher, texture, texture)
    assert len(found) > 100
    both, i, j = np.intersect1d(found.cell_a, small.cell_a, return_indices=True)
    assert len(both) > 0.6 * len(small)  # the resized image is a little smoother
    np.testing.assert_allclose(found.points_a[i], small.points_a[j] * [2, 3] + [0.5, 1], rtol=1e-6)
    assert np.median(np.abs(found.points_b[i] - small.points_b[j])) < 0.02


def test_resizing_keeps_what_is_seen_in_place(local_matcher: LoftrMatcher) -> None:
    """A blob at a known pixel is where the resized image has it, by the same formula as the points."""
    v, u = np.mgrid[:203, :301]
    blob = torch.from_numpy(np.exp(-((u - 120.0) ** 2 + (v - 77.0) ** 2) / 50))
    small = _network_image(blob, 104, 152)[0, 0].numpy()
    weight = small / small.sum()
    v, u = np.mgrid[:104, :152]
    center = np.array([[(weight * u).sum(), (weight * v).sum()]], np.float32)
    np.testing.assert_allclose(_to_original(center, (301 / 152, 203 / 104), 0.0), [[120.0, 77.0]], atol=0.02)


@pytest.mark.parametrize(
    ("size", "budget", "expected"),
    [
        ((480, 640), 10**6, (480, 640)),
        ((376, 1241), 10**6, (376, 1240)),
        ((101, 83), 10**6, (104, 80)),
        ((960, 1280), 480 * 640, (480, 640)),
        ((64, 64), 1, (64, 64)),
        ((64, 4000), 64 * 1000, (64, 2000)),  # the short side is held at its least
    ],
)
def test_network_size(size: tuple[int, int], budget: int, expected: tuple[int, int]) -> None:
    assert network_size(*size, budget) == expected


def test_large_image_is_matched_within_the_budget(tiny_model: LoFTR, texture: Gray) -> None:
    matcher = LoftrMatcher(tiny_model, torch.device("cpu"), "tiny", ComputeBudget(100 * 160))
    features = matcher.extract(texture)
    assert 8 * features.maps.grid[0] * 8 * features.maps.grid[1] <= 1.1 * 100 * 160
    found = matcher.match(features, features)
    assert found.points_a[:, 0].max() > 250


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((100, 100, 3), np.uint8),
        np.zeros((100, 100), np.float32),
        np.zeros((100, 100), np.uint16),
        np.zeros((63, 100), np.uint8),
        np.zeros((100, 20), np.uint8),
        np.zeros((0, 0), np.uint8),
    ],
    ids=lambda image: f"{image.shape} {image.dtype}",
)
def test_image_that_cannot_be_matched(tiny_matcher: LoftrMatcher, image: Gray) -> None:
    with pytest.raises(MatcherError, match=r"gray uint8 image of at least 64 x 64") as caught:
        tiny_matcher.extract(image)
    assert str(image.shape) in str(caught.value)


def test_view_of_a_larger_array(tiny_matcher: LoftrMatcher, texture: Gray) -> None:
    """Images come as slices and read-only buffers."""
    view = texture[::-1, 8:-8]
    view.flags.writeable = False
    a, b = tiny_matcher.extract(view), tiny_matcher.extract(view.copy())
    torch.testing.assert_close(a.maps.coarse, b.maps.coarse, rtol=0, atol=0)


def test_flat_image_gives_no_error(tiny_matcher: LoftrMatcher) -> None:
    found = match(tiny_matcher, np.full((80, 96), 7, np.uint8), np.full((80, 96), 7, np.uint8))
    assert np.isfinite(found.points_b).all()


@pytest.mark.parametrize("name", ["", "abacus", "cuda:99", "hpu", "cpu:x"])
def test_device_that_does_not_exist(name: str) -> None:
    with pytest.raises(MatcherError, match="use 'auto' or 'cpu'") as caught:
        find_device(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_devices() -> None:
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
