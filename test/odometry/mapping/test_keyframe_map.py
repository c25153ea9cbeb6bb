"""Which keyframes the map stores, and which one is matched again."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.image_quality import ImageQuality
from loftr_ros.odometry.mapping.inverse_depth import CellDepths
from loftr_ros.odometry.mapping.keyframe import Keyframe, View
from loftr_ros.odometry.mapping.keyframe_map import KeyframeMap

CAMERA = Camera(160, 120, np.array([[125.0, 0, 79.5], [0, 125, 59.5], [0, 0, 1]]))
COVARIANCE = np.diag([1e-3] * 3 + [1e-4] * 3) ** 2
IMAGE = np.zeros((120, 160), np.uint8)
QUALITY = ImageQuality.of(IMAGE)
Walk = Callable[..., KeyframeMap[str]]


def keyframe(number: int, T: NDArray[np.float64]) -> Keyframe[str]:
    frame = Frame(number, IMAGE, CAMERA, IMAGE, None, None)
    cells = np.arange(300)
    depths = CellDepths(cells, np.full(300, 0.5), np.full(300, 0.01))
    first = Keyframe.first(View(frame, f"features {number}", QUALITY), depths)
    return Keyframe(first.frame, first.features, first.quality, T, np.zeros((6, 6)), depths)


def matches() -> Matches:
    row, column = np.mgrid[0:15, 0:20].reshape(2, -1)
    points = np.column_stack([8 * column + 3.5, 8 * row + 3.5]).astype(np.float32)
    return Matches(points, points, np.ones(300, np.float32), np.arange(300))


@pytest.fixture
def walk() -> Walk:
    """A map of the keyframes of a camera that is turned to these angles, degrees."""

    def make(
        angles: list[float],
        count: int = 100,
        covariance: NDArray[np.float64] = COVARIANCE,
        kept: tuple[int, ...] = (),
    ) -> KeyframeMap[str]:
        poses = [se3.transform(se3.exp_rotation([0, np.radians(angle), 0]), np.zeros(3)) for angle in angles]
        stored: KeyframeMap[str] = KeyframeMap(count)
        current = keyframe(0, poses[0])
        stored.restart(current)
        for number in range(1, len(poses)):
            successor = keyframe(number, poses[number])
            step = se3.inverse(poses[number - 1]) @ poses[number]
            stored.add(current, matches(), successor, step, covariance, 0.0, kept)
            current = successor
        return stored

    return make


def stamps(stored: KeyframeMap[Any]) -> list[int]:
    return [stored.place(index).keyframe.frame.stamp_ns for index in range(len(stored))]


def test_on_the_way_out_none_is_revisited(walk: Walk) -> None:
    for count in range(2, 14):
        assert walk([5.0 * number for number in range(count)]).revisited() is None


def test_on_the_way_back_the_nearest_is_revisited(walk: Walk) -> None:
    stored = walk([0, 5, 10, 15, 20, 25, 30, 26, 21, 16, 11, 6])
    index = stored.revisited()
    assert index is not None
    assert stamps(stored)[index] == 1


def test_a_place_within_sight_all_the_time_is_revisited_after_a_detour(walk: Walk) -> None:
    sway = [0.0, 4.0, 7.0, 3.0, 0.5]
    assert walk(sway).revisited() is None
    assert stamps(stored := walk(5 * sway))[stored.revisited() or 0] == 0


def test_a_place_is_not_revisited_where_the_path_has_become_too_uncertain(walk: Walk) -> None:
    angles = [0.0, 5.0, 10.0, 15.0, 20.0, 15.0, 10.0, 4.0]
    assert walk(angles).revisited() is not None
    assert walk(angles, covariance=np.diag([0.01] * 3 + [0.03] * 3) ** 2).revisited() is None


@pytest.mark.parametrize(("degrees", "accepted"), [(0.5, True), (4.0, True), (6.0, False)])
def test_a_large_correction_is_rejected_even_if_the_path_is_uncertain(
    walk: Walk, degrees: float, accepted: bool
) -> None:
    stored = walk([0.0, 5.0, 10.0, 15.0, 10.0, 5.0, 1.0], covariance=np.diag([1e-3] * 3 + [0.018] * 3) ** 2)
    index = stored.revisited()
    assert index is not None
    measured = se3.transform(se3.exp_rotation([0, np.radians(1.0 + degrees), 0]), np.zeros(3))
    assert stored.correct(index, measured, COVARIANCE) == accepted


def test_keyframes_near_a_stored_one_are_dropped(walk: Walk) -> None:
    assert stamps(walk([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])) == [0, 5, 10]
    assert stamps(walk([0, 10, 20, 30, 21, 11, 1, -10])) == [0, 1, 2, 3, 7]


def test_keyframes_in_use_are_kept_until_they_are_not(walk: Walk) -> None:
    stored = walk([0, 1, 2, 3, 4, 5, 6, 7], kept=(2, 5, 6))
    assert stamps(stored) == [0, 2, 5, 6, 7]
    last = stored.place(4).keyframe
    stored.add(last, matches(), keyframe(8, last.T_odom_camera), np.eye(4), COVARIANCE, 0.0, kept=(6,))
    assert stamps(stored) == [0, 5, 6, 8]


def test_the_map_is_bounded_and_keeps_what_was_used_last(walk: Walk) -> None:
    stored = walk([10.0 * number for number in range(30)], count=6)
    assert stamps(stored) == [24, 25, 26, 27, 28, 29]
    assert len(stored.joint) == 6


def test_only_the_features_used_last_are_kept_and_no_right_image(walk: Walk) -> None:
    stored = walk([10.0 * number for number in range(10)])
    places = [stored.place(index) for index in range(10)]
    assert [place.features for place in places] == 2 * [None] + [f"features {number}" for number in range(2, 10)]
    assert all(place.keyframe.features is None for place in places)
    assert all(place.keyframe.frame.right is None for place in places)


def test_a_return_to_an_earlier_keyframe_drops_the_lost_one(walk: Walk) -> None:
    stored = walk([0, 10, 20, 30])
    stored.return_to(keyframe(1, np.eye(4)))
    assert (stamps(stored), stored.current) == ([0, 1, 2], 1)
    stored.return_to(keyframe(9, np.eye(4)))
    assert (stamps(stored), stored.current) == ([9], 0)
