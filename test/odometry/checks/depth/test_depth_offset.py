"""Estimation of a constant offset of depth images."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.depth.depth_offset import DepthOffset
from loftr_ros.odometry.checks.input_fault import InputFault
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate, estimate_relative_pose

CAMERA = Camera(640, 480, np.array([[400.0, 0, 319.5], [0, 400, 239.5], [0, 0, 1]]))
SIDEWAYS, FORWARD = (0.15, 0.02, 0.03, 0.0, 0.02, 0.0), (0.02, 0.0, 0.15, 0.01, 0.0, 0.0)
MOTIONS = 8
Pixels = NDArray[np.float64]


def depth_image(pixels: Pixels, depths: NDArray[np.float64]) -> NDArray[np.float32]:
    image = np.zeros((CAMERA.height, CAMERA.width), np.float32)
    column, row = np.rint(pixels).astype(int).T
    image[row, column] = depths
    return image


def measured(a: Pixels, b: Pixels, depths: NDArray[np.float64]) -> tuple[NormalizedMatches, RelativePoseEstimate]:
    """Normalize matches with depths, and estimate their motion."""
    normalized = NormalizedMatches(CAMERA.normalize(a), CAMERA.normalize(b), 1.0 / depths, 0.02 / depths)
    motion = estimate_relative_pose(normalized, CAMERA.focal, np.zeros(3), 1.0, OdometryConfig(mode="rgbd"))
    assert motion is not None
    return normalized, motion


def check_of(
    step: tuple[float, ...], offset: float, noise: float = 0.01, focal_factor: float = 1.0
) -> tuple[DepthOffset, float]:
    """Run the check on motions past points 1.5 to 7 m away.

    Args:
        step: (v, w) of each motion.
        offset: of the measured depths, meters.
        noise: relative standard deviation of the measured depths.
        focal_factor: of the images, relative to the calibration.

    Returns:
        The check, and the relative error of the length of the last motion.
    """
    rng = np.random.default_rng(2)
    check, T = DepthOffset(), se3.exp(np.array(step))
    K = CAMERA.K * np.array([[focal_factor], [focal_factor], [1.0]])
    K[:2, 2] = CAMERA.K[:2, 2]
    images = Camera(CAMERA.width, CAMERA.height, K)
    for _ in range(MOTIONS):
        pixels_a, depth_a = rng.uniform((40, 40), (600, 440), (600, 2)), rng.uniform(1.5, 7.0, 600)
        points = np.column_stack([images.normalize(pixels_a), np.ones(600)]) * depth_a[:, None]
        in_b = (points - T[:3, 3]) @ T[:3, :3]
        pixels_b = images.project(in_b) + rng.normal(0, 0.2, (600, 2))
        inside = ((pixels_b > 1) & (pixels_b < (638, 478))).all(axis=1) & (in_b[:, 2] > 0.5)
        a, b = pixels_a[inside], pixels_b[inside]
        depths = [(depth * rng.normal(1.0, noise, len(depth)) + offset) for depth in (depth_a[inside], in_b[inside, 2])]
        normalized, motion = measured(a, b, depths[0])
        confidence, cells = np.ones(len(a), np.float32), np.arange(len(a))
        matches = Matches(a.astype(np.float32), b.astype(np.float32), confidence, cells)
        check.add_motion((depth_image(a, depths[0]), depth_image(b, depths[1])), matches, normalized, 400.0, motion)
    length = np.linalg.norm(motion.T_keyframe_camera[:3, 3]) / np.linalg.norm(T[:3, 3])
    return check, float(length) - 1.0


@pytest.mark.parametrize("step", [SIDEWAYS, FORWARD])
@pytest.mark.parametrize("offset", [-0.1, 0.15])
def test_an_offset_is_measured(step: tuple[float, ...], offset: float) -> None:
    check, length_error = check_of(step, offset)
    assert check.warning is not None
    assert check.warning.fault is InputFault.DEPTH_OFFSET
    found = re.search(r"about (\d+) cm too (large|small)", check.warning.text)
    assert found is not None
    assert int(found[1]) == pytest.approx(100 * abs(offset), rel=0.4)
    assert (found[2] == "large") == (offset > 0)
    assert 0.02 < abs(length_error) < 3 * check.length_sigma


@pytest.mark.parametrize("step", [SIDEWAYS, FORWARD])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_exact_and_noisy_depth_has_no_offset(step: tuple[float, ...], noise: float) -> None:
    check, _ = check_of(step, 0.0, noise)
    assert check.warning is None
    assert check.length_sigma == 0.0


def test_a_wrong_focal_length_is_no_offset_without_rotation() -> None:
    check, length_error = check_of((*SIDEWAYS[:3], 0.0, 0.0, 0.0), 0.0, focal_factor=1.1)
    assert abs(length_error) > 0.05
    assert check.warning is None
