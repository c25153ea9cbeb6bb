from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from loftr_ros.odometry.geometry import se3

Bench = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    ("errors", "threshold", "expected"),
    [
        ([1.0], 2.0, 75.0),  # a triangle of 1/2, a square of 1, of the 2 there are
        ([3.0, 1.0], 2.0, 37.5),  # 1/4 + 1/2 of 2
        ([1.0, 2.0, 9.0, 9.0], 4.0, 100 * (0.125 + 0.375 + 1.0) / 4),
        ([0.0, 0.0], 5.0, 100.0),
        ([2.0], 2.0, 0.0),
        ([np.inf, np.inf], 5.0, 0.0),
        ([1.0, np.inf], 2.0, 37.5),
        ([], 5.0, 0.0),
    ],
)
def test_auc(bench: Bench, errors: list[float], threshold: float, expected: float) -> None:
    assert bench("scores").auc(errors, threshold) == pytest.approx(expected)


def test_angles(bench: Bench) -> None:
    scores = bench("scores")
    turn = se3.exp_rotation([0.0, np.radians(7.0), 0.0])
    assert scores.rotation_error_deg(turn @ turn, turn) == pytest.approx(7.0)
    x = np.array([2.0, 0.0, 0.0])
    assert scores.direction_error_deg(x, 3 * x) == pytest.approx(0.0, abs=1e-5)
    assert scores.direction_error_deg(-x, x) == pytest.approx(180.0), "backwards is not forwards"
    assert scores.direction_error_deg(np.array([1.0, 1.0, 0.0]), x) == pytest.approx(45.0)
    assert scores.direction_error_deg(np.zeros(3), x) == np.inf


def test_corners(bench: Bench) -> None:
    corner_error_px = bench("scores").corner_error_px
    shift = np.array([[1.0, 0, 3], [0, 1, 4], [0, 0, 1]])
    assert corner_error_px(-2 * shift, np.eye(3), 100, 50) == pytest.approx(5.0)
    scale = np.diag([1.1, 1.0, 1.0])
    assert corner_error_px(scale, np.eye(3), 101, 51) == pytest.approx((0 + 10 + 10 + 0) / 4)
    assert corner_error_px(np.zeros((3, 3)), np.eye(3), 100, 50) == np.inf
