"""Which earlier keyframes are kept, and in which order they are tried."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.images.image_quality import ImageQuality
from loftr_ros.odometry.mapping.inverse_depth import CellDepths
from loftr_ros.odometry.mapping.keyframe import Keyframe, View
from loftr_ros.odometry.mapping.keyframe_history import RecentKeyframes, relative_to
from loftr_ros.odometry.pose.estimator import COVARIANCE_FLOOR

WIDTH = 320


@pytest.fixture
def keyframes(make_world: Callable[..., Any], curve: Callable[..., Any]) -> list[Keyframe[int]]:
    """Eight keyframes of a path."""
    world = make_world(curve(8))
    frames = list(world.frames())
    views = [View(frame, index, ImageQuality.of(frame.image)) for index, frame in enumerate(frames)]
    return [Keyframe.first(view, CellDepths.empty()) for view in views]


def order(recent: RecentKeyframes[int], count: int) -> list[int]:
    found = [recent.next() for _ in range(count)]
    return [keyframe.features for keyframe in found if keyframe is not None]


def test_the_latest_is_tried_first_and_all_have_their_turn(keyframes: list[Keyframe[int]]) -> None:
    recent: RecentKeyframes[int] = RecentKeyframes(3)
    assert recent.next() is None
    for keyframe in keyframes[:5]:
        recent.add(keyframe, moved_px=WIDTH, lost=False)
    assert order(recent, 5) == [4, 3, 2, 4, 3]
    recent.add(keyframes[5], moved_px=WIDTH, lost=False)
    assert order(recent, 2) == [5, 4]


def test_they_are_apart_but_the_last_place_known_is_always_kept(keyframes: list[Keyframe[int]]) -> None:
    recent: RecentKeyframes[int] = RecentKeyframes(8)
    for keyframe in keyframes[:7]:
        recent.add(keyframe, moved_px=15.0, lost=False)
    assert order(recent, 3) == [6, 3, 0]
    recent.add(keyframes[7], moved_px=15.0, lost=True)
    assert order(recent, 2) == [7, 6]


def test_going_back_to_one_forgets_what_came_after(keyframes: list[Keyframe[int]]) -> None:
    recent: RecentKeyframes[int] = RecentKeyframes(8)
    for keyframe in keyframes[:5]:
        recent.add(keyframe, moved_px=WIDTH, lost=False)
    recent.return_to(keyframes[2])
    assert order(recent, 2) == [1, 0]
    recent.add(keyframes[2], moved_px=15.0, lost=False)
    assert order(recent, 1) == [2]


def test_none_are_kept_where_none_are_wanted(keyframes: list[Keyframe[int]]) -> None:
    recent: RecentKeyframes[int] = RecentKeyframes(0)
    recent.add(keyframes[0], moved_px=WIDTH, lost=True)
    assert recent.next() is None


def random_step(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    root = 0.05 * rng.standard_normal((6, 6))
    return se3.exp(rng.standard_normal(6)), root @ root.T


def test_the_covariance_relative_to_a_keyframe_is_that_of_the_path_since(keyframes: list[Keyframe[int]]) -> None:
    rng = np.random.default_rng(4)
    steps = [random_step(rng) for _ in range(4)]
    keyframe = keyframes[0]
    for step in steps[:2]:
        T, covariance = keyframe.in_odom(*step)
        view = View(keyframe.frame, keyframe.features, keyframe.quality)
        keyframe = Keyframe(view.frame, view.features, view.quality, T, covariance, CellDepths.empty())
    T, covariance = np.eye(4), np.zeros((6, 6))
    for step in steps[2:]:
        covariance = se3.composed_covariance(T, covariance, *step)
        T = T @ step[0]
    found = relative_to(keyframe, *keyframe.in_odom(T, covariance))
    np.testing.assert_allclose(found[0], T, atol=1e-12)
    np.testing.assert_allclose(found[1], covariance + COVARIANCE_FLOOR, atol=1e-9)
