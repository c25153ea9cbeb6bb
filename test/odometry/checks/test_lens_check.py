"""Detection of a wrong focal length, principal point and distortion."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.visual_odometry import VisualOdometry

MakeWorld = Callable[..., Any]
Curve = Callable[..., list[NDArray[np.float64]]]
STEP = (0.15, 0.05, 0.1, 0.01, 0.0, 0.02)
FRAMES = 18
IDEAL = Camera(320, 240, np.array([[200.0, 0, 159.5], [0, 200, 119.5], [0, 0, 1]]))
BARREL = replace(IDEAL, distortion_model="plumb_bob", distortion=np.array([-0.1, 0, 0, 0]))


def warnings_of(world: Any, mode: str, declared: Camera) -> tuple[InputWarning, ...]:
    """Run odometry in a world with a declared calibration, and return the final warnings."""
    odometry: VisualOdometry[Any] = VisualOdometry(world, OdometryConfig(mode=mode, subpixel_refinement=False))  # type: ignore[arg-type]
    rig = StereoRig.rectified(declared, 0.2)
    for frame in world.frames():
        said = odometry.process(replace(frame, camera=declared, rig=rig)).input_warnings
    return said


def figure(warning: InputWarning) -> float:
    found = re.search(r"about ([-+]?[\d.]+)", warning.text)
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize(("mode", "factor"), [("mono", 0.75), ("mono", 1.3), ("rgbd", 0.75)])
def test_wrong_focal_length(make_world: MakeWorld, curve: Curve, mode: str, factor: float) -> None:
    K = IDEAL.K.copy()
    K[[0, 1], [0, 1]] *= factor
    world = make_world(curve(FRAMES, STEP), camera=IDEAL, depth_images=mode == "rgbd")
    (warning,) = warnings_of(world, mode, replace(IDEAL, K=K))
    assert warning.fault is InputFault.FOCAL_LENGTH
    assert figure(warning) == pytest.approx(1 / factor, rel=0.25)


def test_a_doubtful_focal_length_inflates_the_covariance(make_world: MakeWorld, curve: Curve) -> None:
    """Significant, but below the limit of the warning."""
    K = IDEAL.K.copy()
    K[[0, 1], [0, 1]] *= 0.96
    world = make_world(curve(FRAMES, STEP), camera=IDEAL, depth_images=False, noise_px=0.1, outliers=0.0)
    declared = replace(IDEAL, K=K)
    config = OdometryConfig(mode="stereo", subpixel_refinement=False, calibration_sigma=0.0)
    odometry: VisualOdometry[Any] = VisualOdometry(world, config)
    for frame in world.frames():
        last = odometry.process(replace(frame, camera=declared, rig=StereoRig.rectified(declared, 0.2)))
    assert not last.input_warnings
    truth = (se3.inverse(world.poses[0]) @ world.poses[-1])[:3, 3]
    error, C = last.T_odom_camera[:3, 3] - truth, last.pose_covariance[:3, :3]
    assert np.linalg.norm(error) > 0.015 * np.linalg.norm(truth)
    assert error @ np.linalg.solve(C, error) < 9  # three standard deviations


@pytest.mark.parametrize(("shift", "text"), [((25, 0), "px further left than"), ((0, -20), "px further down than")])
def test_wrong_principal_point(make_world: MakeWorld, shift: tuple[float, float], text: str) -> None:
    """Turns about several axes tell it from a wrong focal length."""
    poses = [se3.transform(np.eye(3), [-1.0, 0.3, -4.0])]
    for index in range(FRAMES):
        turn = (0.03, 0.0, 0.01) if index % 6 < 3 else (-0.02, 0.03 * (-1) ** (index // 6), 0.0)
        poses.append(poses[-1] @ se3.exp(np.array([0.15 * (-1) ** (index // 5), 0.05, 0.1, *turn])))
    K = IDEAL.K.copy()
    K[:2, 2] += shift
    (warning,) = warnings_of(make_world(poses, camera=IDEAL, depth_images=False), "mono", replace(IDEAL, K=K))
    assert warning.fault is InputFault.PRINCIPAL_POINT
    assert text in warning.text
    assert figure(warning) == pytest.approx(max(map(abs, shift)), rel=0.5)


@pytest.mark.parametrize("taken", [IDEAL, BARREL])
def test_wrong_distortion(make_world: MakeWorld, curve: Curve, taken: Camera) -> None:
    """Raw images declared as rectified, and vice versa."""
    declared = BARREL if taken is IDEAL else IDEAL
    (warning,) = warnings_of(make_world(curve(FRAMES, STEP), camera=taken, depth_images=False), "mono", declared)
    assert warning.fault is InputFault.DISTORTION
    assert figure(warning) == pytest.approx(0.1 if taken is IDEAL else -0.1, abs=0.11)


@pytest.mark.parametrize(("mode", "camera"), [("mono", IDEAL), ("mono", BARREL), ("stereo", BARREL), ("rgbd", IDEAL)])
def test_correct_calibration(make_world: MakeWorld, curve: Curve, mode: str, camera: Camera) -> None:
    world = make_world(curve(FRAMES, STEP), camera=camera, depth_noise=0.02, depth_images=mode == "rgbd")
    assert warnings_of(world, mode, camera) == ()


def test_the_focal_length_is_unobservable_in_straight_driving(make_world: MakeWorld, curve: Curve) -> None:
    """The epipolar lines of a translation along the optical axis are the same at any focal length."""
    K = IDEAL.K.copy()
    K[[0, 1], [0, 1]] *= 1.3
    world = make_world(curve(FRAMES, (0, 0, 0.12, 0, 0, 0)), camera=IDEAL, depth_images=False)
    assert warnings_of(world, "mono", replace(IDEAL, K=K)) == ()


@pytest.mark.parametrize(("step", "is_tested"), [(STEP, True), ((0, 0, 0.12, 0, 0, 0), False)])
def test_only_rotation_tests_the_focal_length(
    make_world: MakeWorld, curve: Curve, step: tuple[float, ...], is_tested: bool
) -> None:
    world = make_world(curve(FRAMES, step), camera=IDEAL, depth_images=False)
    odometry: VisualOdometry[Any] = VisualOdometry(world, OdometryConfig(subpixel_refinement=False))
    sigmas = [odometry.process(frame).focal_sigma for frame in world.frames()]
    assert sigmas[0] == np.inf
    assert (sigmas[-1] < 0.1) == is_tested
