from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.pose.disparity_bias import NO_BIAS, DisparityBias
from loftr_ros.odometry.visual_odometry import VisualOdometry

STEP = (0.03, 0.0, 0.12, 0.0, 0.02, 0.004)
ERROR_PX = -0.4


def length_error(
    make_world: Callable[..., Any], curve: Callable[..., list[NDArray[np.float64]]], **world: Any
) -> float:
    """By how much a path of 30 frames comes out too long, as a share, with and without looking for an offset."""
    known = world.pop("disparity_bias_px")
    scene = make_world(curve(30), **world)
    odometry = VisualOdometry(scene, OdometryConfig(mode="stereo", subpixel_refinement=False, disparity_bias_px=known))
    estimates = [odometry.process(frame) for frame in scene.frames()]
    steps = np.diff([estimate.T_odom_camera[:3, 3] for estimate in estimates], axis=0)
    return float(np.linalg.norm(steps, axis=1).sum() / (29 * np.linalg.norm(STEP[:3])) - 1.0)


def test_an_error_of_the_calibration_is_estimated(
    make_world: Callable[..., Any], curve: Callable[..., list[NDArray[np.float64]]]
) -> None:
    ignored = length_error(make_world, curve, disparity_error_px=ERROR_PX, disparity_bias_px=0.0)
    estimated = length_error(make_world, curve, disparity_error_px=ERROR_PX, disparity_bias_px=0.2)
    assert abs(ignored) > 0.02
    assert abs(estimated) < 0.5 * abs(ignored)


def test_a_perfect_calibration_stays_one(
    make_world: Callable[..., Any], curve: Callable[..., list[NDArray[np.float64]]]
) -> None:
    assert abs(length_error(make_world, curve, disparity_bias_px=0.2)) < 0.015


def test_the_filter_goes_from_the_prior_to_the_mean_of_the_measurements() -> None:
    bias = DisparityBias.unknown(0.3)
    for value in 0.2 + 0.1 * np.random.default_rng(0).standard_normal(100):
        bias = bias.updated(value)
    assert bias.value == pytest.approx(0.2, abs=0.03)
    assert 0.005 < bias.sigma < 0.03


def test_no_bias_stays_none() -> None:
    assert NO_BIAS.updated(1.0) == NO_BIAS
