from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.mapping.inverse_depth import CellDepths
from loftr_ros.odometry.mapping.landmarks import Landmarks
from loftr_ros.odometry.scale.metric_odometry import MetricOdometry

CAMERA = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))


def landmarks(sigma: list[float], T: NDArray[np.float64]) -> Landmarks:
    """Two cells straight ahead and one to the right, 2 m away, and one without depth."""
    pixels = np.array([[320, 240], [320, 240], [420, 240], [0, 0]], np.float32)
    matches = Matches(pixels, pixels, np.ones(4, np.float32), np.arange(4))
    return Landmarks(CAMERA, matches, CellDepths(np.arange(3), np.full(3, 0.5), np.array(sigma)), T)


def test_points_are_where_the_camera_sees_them_now() -> None:
    T_keyframe_camera = se3.transform(np.eye(3), [0.4, 0.0, 0.5])
    found = landmarks([0.01, 0.01, 0.01], T_keyframe_camera)
    expected = [[-0.4, 0, 1.5], [-0.4, 0, 1.5], [0, 0, 1.5], [np.nan] * 3]
    np.testing.assert_allclose(found.points(), expected, atol=1e-6)
    np.testing.assert_allclose(found.scaled(3.0).scaled(2.0).points(), 6 * np.array(expected), atol=1e-5)


def test_an_uncertain_depth_places_nothing() -> None:
    points = landmarks([0.09, 0.11, np.inf], np.eye(4)).points()
    assert np.isfinite(points).all(axis=1).tolist() == [True, False, False, False]


@pytest.mark.parametrize("mode", ["stereo", "mono"])
def test_the_points_of_the_odometry_project_to_their_matches(
    make_world: Callable[..., Any], curve: Callable[..., Any], mode: str
) -> None:
    world = make_world(curve(6))
    odometry: MetricOdometry[Any] = MetricOdometry(world, OdometryConfig(mode=mode, subpixel_refinement=False))  # type: ignore[arg-type]
    estimates = [odometry.process(frame) for frame in world.frames()]
    assert estimates[0].landmarks is None
    last = estimates[-1]
    assert last.landmarks is not None
    points = last.landmarks.points()
    known = last.inliers & np.isfinite(points).all(axis=1)
    assert known.sum() > 50
    camera = next(iter(world.frames())).camera
    pixels = (points[known] / points[known, 2:]) @ camera.K.T
    assert np.median(np.linalg.norm(pixels[:, :2] - last.matches.points_b[known], axis=1)) < 1.0
