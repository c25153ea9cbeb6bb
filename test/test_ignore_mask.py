"""Masked regions are not matched."""

import os

import cv2
import numpy as np
import pytest

from loftr_ros.ignore_mask import MaskedMatcher, MaskError
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.loftr.runtime.matcher import load_matcher
from loftr_ros.matches import Matcher


@pytest.fixture(scope="module")
def matcher():
    return load_matcher(device="cpu")


def test_no_match_starts_or_ends_where_the_mask_is_black(matcher, texture, tmp_path, one_torch_thread):
    mask = np.full(texture.shape, 255, np.uint8)
    mask[:, 200:] = 0
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    masked: Matcher = MaskedMatcher(matcher, tmp_path / "mask.png")
    moved = np.roll(texture, 24, axis=1)
    found = [m.match(m.extract(texture), m.extract(moved)) for m in (matcher, masked)]
    hidden = [(m.points_a[:, 0] >= 200).sum() + (m.points_b[:, 0] >= 200).sum() for m in found]
    assert hidden[0] > 100
    assert hidden[1] == 0
    assert len(found[1]) > 50
    assert (masked.checkpoint, masked.device) == (matcher.checkpoint, matcher.device)


def test_a_mask_of_another_size_is_refused(matcher, texture, tmp_path):
    cv2.imwrite(str(tmp_path / "mask.png"), np.full((480, 640), 255, np.uint8))
    masked = MaskedMatcher(matcher, tmp_path / "mask.png")
    with pytest.raises(MaskError, match=r"mask\.png is 640x480 but the images are 320x200"):
        masked.extract(texture)


def test_the_mask_follows_images_that_are_processed_at_a_smaller_size(matcher, texture, tmp_path):
    """Images of 4K are downscaled before the matcher, and the mask is drawn on one of them."""
    mask = np.full((450, 720), 255, np.uint8)
    mask[:, 360:] = 0
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    masked = MaskedMatcher(matcher, tmp_path / "mask.png")
    for image in (texture, cv2.resize(texture, (240, 150), interpolation=cv2.INTER_AREA), texture):
        features = masked.extract(image)
        points = masked.match(features, features).points_a
        assert len(points) > 50
        assert points[:, 0].max() < image.shape[1] // 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is not an image"),
        (b"text", "is not an image"),
        (cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes(), "is all black"),
    ],
)
def test_an_invalid_mask_is_refused(matcher, tmp_path, content, sentence):
    path = tmp_path / "mask.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MaskError, match=f"mask_image {path} {sentence}"):
        MaskedMatcher(matcher, path)


def test_a_pipe_is_refused_and_not_waited_for(matcher, tmp_path):
    os.mkfifo(tmp_path / "mask.png")
    with pytest.raises(MaskError, match=r"mask\.png cannot be read: it is a pipe"):
        MaskedMatcher(matcher, tmp_path / "mask.png")


def test_the_budget_is_that_of_the_matcher(tmp_path):
    matcher = load_matcher(device="cpu")
    cv2.imwrite(str(tmp_path / "mask.png"), np.full((96, 128), 255, np.uint8))
    masked = MaskedMatcher(matcher, tmp_path / "mask.png")
    masked.budget = ComputeBudget(96 * 128 // 4)
    assert matcher.budget == masked.budget == ComputeBudget(96 * 128 // 4)
    assert masked.extract(np.zeros((96, 128), np.uint8)).size == (64, 64)
    assert masked.warm_up(96, 128) > 0
