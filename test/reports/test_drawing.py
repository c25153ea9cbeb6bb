"""The picture of matches."""

import numpy as np
import pytest

from loftr_ros.matches import Matches
from loftr_ros.reports.drawing import draw_matches

BLACK = np.zeros((100, 120), np.uint8)


def matches(*rows: tuple[float, float, float, float, float]) -> Matches:
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Matches(table[:, :2], table[:, 2:4], table[:, 4], np.arange(len(table)))


def draw(image_a, image_b, found, inliers):
    picture = draw_matches(image_a, image_b, found, np.array(inliers, bool), "a caption")
    assert picture.dtype == np.uint8
    bar = len(picture) - (100 if image_a is BLACK else 400)
    return picture, picture[bar:]


@pytest.mark.parametrize(
    ("shape", "expected"), [((100, 120), (100, 240)), ((100, 300), (200, 300))], ids=["beside", "below"]
)
def test_narrow_images_lie_beside_each_other_and_wide_ones_below(shape, expected):
    image = np.zeros(shape, np.uint8)
    picture = draw_matches(image, image, matches(), np.zeros(0, bool), "nothing")
    assert picture.shape[0] > expected[0]
    assert picture.shape[1:] == (expected[1], 3)


def test_both_ends_of_a_match_are_where_they_belong():
    picture, body = draw(BLACK, BLACK, matches((10, 20, 30, 40, 1.0)), [True])
    assert body[20, 10].any()
    assert body[40, 150].any()
    assert body[30, 80].any(), "the line between them"
    assert not body[80, 80].any()
    assert picture[:20].any(), "the caption"


def test_outliers_are_red_and_have_no_line():
    _, body = draw(BLACK, BLACK, matches((10, 20, 30, 40, 1.0)), [False])
    blue, green, red = body[20, 10].astype(int)
    assert red > 2 * max(blue, green)
    assert not body[30, 80].any()


def test_confidence_goes_from_blue_to_green():
    _, body = draw(BLACK, BLACK, matches((10, 20, 10, 20, 0.0), (10, 80, 10, 80, 1.0)), [True, True])
    assert body[20, 10].argmax() == 0
    assert body[80, 10].argmax() == 1


def test_legend_shows_the_colors_where_there_is_room():
    found = matches((10, 20, 30, 40, 1.0))
    image = np.zeros((380, 760), np.uint8)
    wide = draw_matches(image, image, found, np.array([True]), "")
    bar = wide[:26, -250:].astype(int)
    sure, outlier = bar[13, 155], bar[13, 186]
    assert sure.argmax() == 1
    assert bar[13, 93].argmax() == 0
    assert outlier.argmax() == 2
    narrow = draw_matches(BLACK, BLACK, found, np.array([True]), "")
    assert not narrow[:26].any()


def test_images_of_different_sizes_and_a_long_caption_fit():
    picture = draw_matches(BLACK, np.zeros((60, 50), np.uint8), matches((1, 1, 2, 2, 0.5)), np.array([True]), "w" * 400)
    assert picture.shape[1:] == (170, 3)


def test_the_images_are_not_touched():
    image = np.full((100, 120), 200, np.uint8)
    draw_matches(image, image, matches((10, 20, 30, 40, 1.0)), np.array([True]), "")
    assert (image == 200).all()


def test_the_caption_stands_on_the_color_that_is_asked_for():
    picture = draw_matches(BLACK, BLACK, matches(), np.zeros(0, bool), "lost", (30, 30, 140))
    assert picture[0, 0].tolist() == [30, 30, 140]
