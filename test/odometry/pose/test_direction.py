"""Rotation and direction of small motions, where a rotation stands in for a translation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, triangulate
from loftr_ros.odometry.pose.direction import refine_direction
from loftr_ros.odometry.pose.gauss_newton import ObservableDof, refine_pose
from loftr_ros.odometry.pose.residuals import LinearizedResiduals, NoiseScales
from loftr_ros.odometry.pose.two_view import TwoViewGeometry, TwoViewPose

MakeWorld = Callable[..., Any]
START = se3.transform(np.eye(3), [-1.0, 0.3, -4.0])
NOISE = 0.3 / 250  # of a match, on the plane z = 1
# Across the view: the image moves by up to 4 pixels, of which a rotation explains all but half a pixel.
STEP = se3.transform(se3.exp_rotation([0.003, 0.001, -0.002]), [0.06, 0.03, 0.0])


@pytest.fixture
def normalized(make_world: MakeWorld) -> NormalizedMatches:
    """Matches of two views of a room that are near together."""
    world = make_world([START, START @ STEP], noise_px=0.3, outliers=0.0)
    first, second = (world.extract(frame.image) for frame in world.frames())
    matches = world.match(first, second)
    unknown = np.full(len(matches), np.nan)
    a, b = (world.camera.normalize(points) for points in (matches.points_a, matches.points_b))
    return NormalizedMatches(a, b, unknown, unknown)


def refined_from(R: NDArray[np.float64], direction: Any, normalized: NormalizedMatches, baseline: float | None) -> Any:
    two_view = TwoViewPose(
        TwoViewGeometry.GENERAL, R, np.asarray(direction, np.float64), np.ones(len(normalized), bool), 1.0
    )
    return refine_direction(two_view, normalized, baseline, NOISE, NOISE / 10, 1 / 250)


def cost(T: NDArray[np.float64], normalized: NormalizedMatches) -> float:
    return LinearizedResiduals.at(T, normalized, normalized.sigma, NoiseScales(NOISE)).cost


@pytest.mark.parametrize("turn", [0.0, 0.008, -0.008])
@pytest.mark.parametrize("direction", [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_a_wrong_essential_matrix_does_no_harm(normalized: NormalizedMatches, direction: Any, turn: float) -> None:
    """The rotation that it says takes the place of most of the translation, which a single start does not undo."""
    R = STEP[:3, :3] @ se3.exp_rotation([turn, -turn, 0.0])
    found = refined_from(R, direction, normalized, 1.0)
    best = refine_pose(STEP, normalized, NOISE, NOISE / 10, ObservableDof.UP_TO_SCALE)
    assert cost(found.T_a_b, normalized) < 1.02 * cost(best.T_a_b, normalized)
    assert found.T_a_b[:3, 3] @ STEP[:3, 3] > 0


@pytest.mark.parametrize(("step_m", "is_ambiguous"), [(0.015, True), (0.4, False)])
def test_an_ambiguous_direction_is_named_and_covered(make_world: MakeWorld, step_m: float, is_ambiguous: bool) -> None:
    """Half a pixel of parallax tells no direction between noise and rotation; ten pixels do."""
    step = se3.transform(np.eye(3), [step_m, 0.0, 0.0])
    world = make_world([START, START @ step], noise_px=0.5, outliers=0.0)
    first, second = (world.extract(frame.image) for frame in world.frames())
    matches = world.match(first, second)
    matches = matches.select(np.arange(0, len(matches), 5))
    unknown = np.full(len(matches), np.nan)
    points = (world.camera.normalize(points) for points in (matches.points_a, matches.points_b))
    found = refined_from(np.eye(3), (1, 0, 0), NormalizedMatches(*points, unknown, unknown), step_m)
    assert found.is_ambiguous is is_ambiguous
    error = found.T_a_b[:3, 3] - step[:3, 3]
    across = error - error @ step[:3, 3] * step[:3, 3] / step_m**2
    assert np.linalg.norm(across) < 3.0 * np.sqrt(np.trace(found.covariance[:3, :3]))


def test_length(normalized: NormalizedMatches) -> None:
    assert np.linalg.norm(refined_from(np.eye(3), (1, 0, 0), normalized, 0.7).T_a_b[:3, 3]) == pytest.approx(0.7)
    T = refined_from(np.eye(3), (1, 0, 0), normalized, None).T_a_b
    inverse_depth, _ = triangulate(normalized.a, normalized.b, T, 1e-3)
    assert np.nanmedian(inverse_depth) == pytest.approx(1.0, rel=0.1)
