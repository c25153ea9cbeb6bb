"""A moving object that leaves only the margins of the view to the scene is named; walls and rooms are not."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from loftr_ros.odometry.checks.input_fault import InputFault
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.visual_odometry import VisualOdometry

STEP = np.array([0.03, 0.0, 0.1, 0.0, 0.01, 0.0])
MOVING, STANDING = np.array([0.0, 0.0, 0.25, 0.0, 0.0, 0.0]), np.zeros(6)


def last_estimate(simulator: ModuleType, panels: list[Any], **world: Any) -> tuple[Any, np.ndarray]:
    """The last of five estimates, and the true position."""
    poses = [se3.transform(np.eye(3), [-1.0, 0.3, -4.0])]
    for _ in range(4):
        poses.append(poses[-1] @ se3.exp(STEP))
    scene = simulator.World(poses, panels=panels, depth_images=False, **world)
    odometry: VisualOdometry[Any] = VisualOdometry(scene, OdometryConfig(mode="stereo", subpixel_refinement=False))
    estimates = [odometry.process(frame) for frame in scene.frames()]
    return estimates[-1], (se3.inverse(poses[0]) @ poses[-1])[:3, 3]


def faults(estimate: Any) -> set[InputFault]:
    return {warning.fault for warning in estimate.input_warnings}


@pytest.mark.parametrize("half_width", [1.6, 1.7])
def test_a_moving_object_that_fills_the_view_is_named_and_covered(simulator: ModuleType, half_width: float) -> None:
    """The scene at the margins has too few matches to compete, or none that agree."""
    board = simulator.Panel((-1.0, 0, -1.0), (half_width, 0, 0), (0, 1.6, 0), motion=MOVING)
    estimate, truth = last_estimate(simulator, [*simulator.room((8, 5, 12)), board])
    assert faults(estimate) == {InputFault.MOVING_OBJECT}
    error = estimate.T_odom_camera[:3, 3] - truth
    assert np.linalg.norm(error) > 0.05
    assert error @ np.linalg.solve(estimate.pose_covariance[:3, :3], error) < 9  # three standard deviations


@pytest.mark.parametrize("outliers", [0.1, 0.3])
@pytest.mark.parametrize("half_width", [0.0, 1.5, 1.9, 9.0])
def test_a_standing_board_or_wall_is_not(simulator: ModuleType, half_width: float, outliers: float) -> None:
    board = simulator.Panel((-1.0, 0, -1.0), (half_width + 1e-3, 0, 0), (0, 1.6, 0), motion=STANDING)
    estimate, _ = last_estimate(simulator, [*simulator.room((8, 5, 12)), board], outliers=outliers)
    assert not faults(estimate)
