"""Matches that keep to the contract of matchers, and what happens to others."""

from dataclasses import replace

import numpy as np
import pytest

from loftr_ros.matches import Matches, MatchesError

SHAPE = (72, 96)


def matches(count: int = 5) -> Matches:
    cells = np.arange(count)
    points = np.column_stack([8.0 * cells, 4.0 * cells]).astype(np.float32)
    return Matches(points, points + 1, np.ones(count, np.float32), cells, np.tile(np.eye(2), (count, 1, 1)))


def valid(m: Matches) -> list[int]:
    """Indices of the matches that are kept, of `matches()`."""
    kept = m.valid(SHAPE, SHAPE)
    return [int(np.flatnonzero((m.points_a == point).all(axis=1))[0]) for point in kept.points_a]


def test_valid_matches_are_kept_as_they_are() -> None:
    same = matches()
    assert same.valid(SHAPE, SHAPE) is same
    assert len(Matches.empty().valid(SHAPE, SHAPE)) == 0
    unsorted = matches().select(np.array([3, 0, 4]))
    assert unsorted.valid(SHAPE, SHAPE) is unsorted


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30, 192.0, -96.0])
@pytest.mark.parametrize("name", ["points_a", "points_b"])
def test_points_far_from_the_images(name: str, value: float) -> None:
    points = getattr(matches(), name).copy()
    points[2, 0] = value
    assert len(replace(matches(), **{name: points}).valid(SHAPE, SHAPE)) == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [("confidence", np.nan), ("confidence", np.inf), ("confidence", -0.1), ("cell_a", -1), ("cell_a", 72 * 96)],
)
def test_impossible_values(name: str, value: float) -> None:
    values = getattr(matches(), name).copy()
    values[1] = value
    assert valid(replace(matches(), **{name: values})) == [0, 2, 3, 4]


def test_a_cell_counts_once() -> None:
    assert valid(replace(matches(), cell_a=np.array([0, 1, 1, 3, 0]))) == [0, 1, 3]


@pytest.mark.parametrize(
    "covariance",
    [[[np.nan, 0], [0, 1]], [[1, 1], [1, 1]], [[-1, 0], [0, 1]], [[1, 2], [2, 1]], [[0, 0], [0, 0]], [[1e9, 0], [0, 1]],
     [[1, 0.1], [0.2, 1]], [[np.inf, 0], [0, 1]], [[1, np.nan], [np.nan, 1]]],
)  # fmt: skip
def test_covariances_that_are_none(covariance: list[list[float]]) -> None:
    m = matches()
    assert m.covariance_b is not None
    m.covariance_b[3] = covariance
    assert valid(m) == [0, 1, 2, 4]


def test_arrays_of_other_shapes_are_an_error() -> None:
    with pytest.raises(MatchesError, match="shapes"):
        replace(matches(), confidence=np.ones(4, np.float32)).valid(SHAPE, SHAPE)
    with pytest.raises(MatchesError, match="shapes"):
        replace(matches(), points_b=np.ones((5, 3), np.float32)).valid(SHAPE, SHAPE)
