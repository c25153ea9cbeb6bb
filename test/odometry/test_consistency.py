"""The covariances are those of the errors: normalized estimation error squared (NEES) over simulated runs.

Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and Navigation, section 5.4: the mean over N
runs of e' C^-1 e, of errors e with d degrees of freedom and covariance C, is chi-square with N d degrees of freedom,
over N.
"""

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.visual_odometry import VisualOdometry

SEEDS, FRAMES, PERIOD_S = range(40), 5, 0.1
STEP = np.array([0.05, 0.01, 0.2, 0.004, 0.02, 0.004])
CAMERA = Camera(160, 120, np.array([[125.0, 0, 79.5], [0, 125, 59.5], [0, 0, 1]]))
# Every tenth match anywhere; every match much noisier along one direction than across it; as they come.
NOISE = {"gaussian": {"outliers": 0.0}, "outliers": {"outliers": 0.1}, "uneven": {"outliers": 0.0, "uneven": 3.0}}
CASES = [("stereo", kind) for kind in NOISE] + [
    ("rgbd", "gaussian"),
    ("rgbd", "outliers"),
    ("mono", "gaussian"),
    ("mono", "outliers"),
]

Errors = list[tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Of each run, an error and its covariance."""


def nees(errors: Errors) -> float:
    return float(np.mean([error @ np.linalg.solve(covariance, error) for error, covariance in errors]))


def band(errors: Errors, kind: str = "gaussian") -> tuple[float, float]:
    """The 95 % band of the mean; wrong matches that lie near the right place by chance cost a fifth more."""
    chance = 1.2 if kind == "outliers" else 1.0
    observable = len(errors) * len(errors[0][0])
    return float(chi2.ppf(0.025, observable)) / len(errors), chance * float(chi2.ppf(0.975, observable)) / len(errors)


def step_error(estimate: OdometryEstimate, before: NDArray[np.float64], now: NDArray[np.float64], mode: Mode) -> Any:
    """Of the motion since the frame before, by the reported twist, in the axes of the camera."""
    truth = se3.log(se3.inverse(before) @ now)
    step, covariance = estimate.twist * PERIOD_S, estimate.twist_covariance * PERIOD_S**2
    return observable(step[:3], truth[:3], step[3:] - truth[3:], covariance, mode)


def pose_error(estimate: OdometryEstimate, first: NDArray[np.float64], now: NDArray[np.float64], mode: Mode) -> Any:
    """Of the accumulated pose, in the axes of odom."""
    T, truth = estimate.T_odom_camera, se3.inverse(first) @ now
    turn = se3.log_rotation(T[:3, :3] @ truth[:3, :3].T)
    return observable(T[:3, 3], truth[:3, 3], turn, estimate.pose_covariance, mode)


def observable(
    position: NDArray[np.float64],
    truth: NDArray[np.float64],
    turn: NDArray[np.float64],
    covariance: NDArray[np.float64],
    mode: Mode,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All six; of a single camera five: it has no scale, so that only the direction of its translation can err."""
    if mode != "mono":
        return np.concatenate([position - truth, turn]), covariance
    length = np.linalg.norm(position)
    direction = truth / np.linalg.norm(truth)
    basis = np.zeros((6, 5))
    basis[:3, :2] = np.linalg.svd(direction[None])[2][1:].T / length
    basis[3:, 2:] = np.eye(3)
    return basis.T @ np.concatenate([position - length * direction, turn]), basis.T @ covariance @ basis


@cache
def simulate(world: Callable[..., Any], mode: Mode, kind: str) -> tuple[Errors, Errors]:
    """Errors of the last step and of the last pose, of each run."""
    steps, poses = [], []
    path = [se3.transform(np.eye(3), [-1.0, 0.3, -4.0])]
    for _ in range(FRAMES - 1):
        path.append(path[-1] @ se3.exp(STEP))
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        simulated = world(path, camera=CAMERA, depth_noise=0.02, depth_images=mode == "rgbd", rng=rng, **NOISE[kind])
        odometry: VisualOdometry[tuple[int, int]] = VisualOdometry(
            simulated,
            OdometryConfig(mode=mode, subpixel_refinement=False, disparity_bias_px=0.0, calibration_sigma=0.0),
        )
        estimates = [odometry.process(frame) for frame in simulated.frames()]
        steps.append(step_error(estimates[-1], path[-2], path[-1], mode))
        poses.append(pose_error(estimates[-1], path[0], path[-1], mode))
        assert sum(estimate.is_keyframe for estimate in estimates) > 1
    return steps, poses


@pytest.mark.parametrize(("mode", "kind"), CASES)
def test_the_covariance_of_the_pose_is_that_of_its_error(simulator: ModuleType, mode: Mode, kind: str) -> None:
    _, poses = simulate(simulator.World, mode, kind)
    low, high = band(poses, kind)
    assert low < nees(poses) < high


@pytest.mark.parametrize(("mode", "kind"), CASES)
def test_the_covariance_of_the_twist_is_that_of_its_error(simulator: ModuleType, mode: Mode, kind: str) -> None:
    steps, _ = simulate(simulator.World, mode, kind)
    low, high = band(steps, kind)
    if mode == "mono":  # depth that the camera found itself makes steps better than it can promise
        low /= 2
    assert low < nees(steps) < high


@pytest.mark.parametrize("wrong_by", [0.5, 2.0])
def test_standard_deviations_half_or_twice_as_large_would_be_found_out(simulator: ModuleType, wrong_by: float) -> None:
    for errors in simulate(simulator.World, "stereo", "gaussian"):
        low, high = band(errors)
        assert not low < nees([(error, wrong_by**2 * covariance) for error, covariance in errors]) < high
