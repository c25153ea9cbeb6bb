"""Unregistered depth images, depth in another unit, and of a changing scale."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.checks.input_fault import InputFault
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.visual_odometry import VisualOdometry

Depth = NDArray[np.float32]


def as_it_is(depth: Depth) -> Depth:
    return depth


def warnings_of(world: Any, frames: list[Frame], change: Callable[[Depth], Depth] = as_it_is) -> dict[InputFault, str]:
    """Run odometry on frames with modified depth images, and return the final warnings."""
    odometry: VisualOdometry[Any] = VisualOdometry(world, OdometryConfig(mode="rgbd", subpixel_refinement=False))
    for frame in frames:
        assert frame.depth is not None
        estimate = odometry.process(replace(frame, depth=np.ascontiguousarray(change(frame.depth))))
    return {warning.fault: warning.text for warning in estimate.input_warnings}


def poses() -> list[NDArray[np.float64]]:
    """Sideways and forward through the room."""
    found = [se3.transform(np.eye(3), [-1.0, 0.3, -4.0])]
    for _ in range(12):
        found.append(found[-1] @ se3.exp(np.array([0.12, 0.04, 0.1, 0.0, 0.005, 0.002])))
    return found


def furnished(simulator: ModuleType, noise: float = 0.0) -> Any:
    """A room with objects, so that its depth has edges."""
    boxes = [
        simulator.Panel((x, y, z), (w, 0, 0), (0, h, 0))
        for x, y, z, w, h in ((-1.4, 0.4, 0.5, 0.5, 0.8), (0.9, -0.3, -0.8, 0.4, 0.6), (2.0, 0.8, 2.0, 0.6, 1.0))
    ]
    return simulator.World(poses(), panels=[*simulator.room((8.0, 5.0, 12.0)), *boxes], depth_noise=noise)


@cache
def frames_of_the_room(simulator: ModuleType) -> list[Frame]:
    """Rendered once for all tests."""
    return list(furnished(simulator).frames())


def of_another_camera(depth: Depth) -> Depth:
    """Focal length 1.3 times as large, and a little beside."""
    height, width = depth.shape
    return np.asarray(
        cv2.warpAffine(
            depth,
            np.array([[1.3, 0, -0.15 * width + 8], [0, 1.3, -0.15 * height]]),
            (width, height),
            flags=cv2.INTER_NEAREST,
        )
    )


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (of_another_camera, "not registered"),
        (lambda depth: np.roll(depth, 60, axis=1), "not registered"),
        (lambda depth: depth[:, ::-1], "mirrored"),
        (lambda depth: depth[::-1], "upside down"),
    ],
    ids=["other camera", "shifted", "mirrored", "upside down"],
)
def test_unregistered_depth(simulator: ModuleType, change: Callable[[Depth], Depth], cause: str) -> None:
    found = warnings_of(furnished(simulator), frames_of_the_room(simulator), change)
    assert cause in found[InputFault.DEPTH_REGISTRATION]


def test_distances_along_the_rays(simulator: ModuleType) -> None:
    """Simulators write both depth along the optical axis and distance from the camera."""
    frames = frames_of_the_room(simulator)
    height, width = frames[0].image.shape
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    rays = np.column_stack([frames[0].camera.normalize(pixels), np.ones(len(pixels))])
    length = np.linalg.norm(rays, axis=1).reshape(height, width).astype(np.float32)
    found = warnings_of(furnished(simulator), frames, lambda depth: depth * length)
    assert "distances from the camera" in found[InputFault.DEPTH_REGISTRATION]


def test_registered_depth(simulator: ModuleType) -> None:
    assert warnings_of(furnished(simulator), frames_of_the_room(simulator)) == {}
    noisy = furnished(simulator, noise=0.03)
    assert warnings_of(noisy, list(noisy.frames())) == {}


def enlarged(depth: Depth) -> Depth:
    """By a twelfth about its center."""
    height, width = depth.shape
    by = np.array([[1.08, 0, -0.04 * width], [0, 1.08, -0.04 * height]])
    return np.asarray(cv2.warpAffine(depth, by, (width, height), flags=cv2.INTER_NEAREST))


@pytest.mark.parametrize("change", [as_it_is, enlarged])
def test_a_disagreement_below_the_warning_inflates_the_covariance(
    simulator: ModuleType, change: Callable[[Depth], Depth]
) -> None:
    world, frames = furnished(simulator), frames_of_the_room(simulator)
    config = OdometryConfig(mode="rgbd", subpixel_refinement=False, calibration_sigma=0.0)
    odometry: VisualOdometry[Any] = VisualOdometry(world, config)
    for frame in frames:
        assert frame.depth is not None
        last = odometry.process(replace(frame, depth=np.ascontiguousarray(change(frame.depth))))
    assert not last.input_warnings
    truth = (se3.inverse(world.poses[0]) @ world.poses[-1])[:3, 3]
    error, sigma = last.T_odom_camera[:3, 3] - truth, np.sqrt(np.linalg.eigvalsh(last.pose_covariance[:3, :3]))
    assert np.linalg.norm(error) < 3 * sigma[-1]
    assert (sigma[0] > 0.02 * np.linalg.norm(truth)) == (change is enlarged)


@pytest.mark.parametrize("share", [0.15, 0.4])
def test_nearly_planar_scene(simulator: ModuleType, share: float) -> None:
    """Plane and depth images both explain the triangulated depth."""
    wall = simulator.Panel((0, 0, 0), (20, 0, 8), (0, 20, 0))
    near = simulator.Panel((-1.0, 0.3, -1.2), (2 * share, 0, 0), (0, 1.5, 0))
    world = simulator.World(poses(), panels=[wall, near], depth_noise=0.03)
    assert warnings_of(world, list(world.frames())) == {}


def test_sparse_depth(simulator: ModuleType) -> None:
    """Every other pixel of every other row."""

    def sparse(depth: Depth) -> Depth:
        kept = np.zeros_like(depth)
        kept[::2, ::2] = depth[::2, ::2]
        return kept

    assert warnings_of(furnished(simulator), frames_of_the_room(simulator), sparse) == {}


def test_repeated_depth_image(simulator: ModuleType) -> None:
    frames = frames_of_the_room(simulator)
    old = frames[0].depth
    assert old is not None
    said = warnings_of(furnished(simulator), frames, lambda _: old)
    assert "bit-identical" in said[InputFault.REPEATED_DEPTH_IMAGE]


@pytest.mark.parametrize(("limit", "is_told"), [(4.5, True), (30.0, False)])
def test_depth_beyond_a_far_plane(simulator: ModuleType, limit: float, is_told: bool) -> None:
    """Renderers and some drivers store the largest depth instead of an unknown one."""
    frames = frames_of_the_room(simulator)
    found = warnings_of(furnished(simulator), frames, lambda depth: np.minimum(depth, np.float32(limit)))
    assert (InputFault.DEPTH_CLIPPED in found) == is_told
    if is_told:
        assert "same largest depth, 4.5 m" in found[InputFault.DEPTH_CLIPPED]


@pytest.mark.parametrize("factor", [1000.0, 0.01])
def test_implausible_unit(simulator: ModuleType, factor: float) -> None:
    """Millimeters stored as floating point, or a unit wrong by a factor."""
    frames = frames_of_the_room(simulator)[:4]
    found = warnings_of(furnished(simulator), frames, lambda depth: depth * np.float32(factor))
    assert "check the unit" in found[InputFault.DEPTH_UNIT]


def error_in_sigmas(world: Any, frames: list[Frame], change: Callable[[int, Depth], Depth]) -> tuple[float, Any]:
    """Return the error of the last position in standard deviations, and the last estimate."""
    config = OdometryConfig(mode="rgbd", subpixel_refinement=False)
    odometry: VisualOdometry[Any] = VisualOdometry(world, config)
    for index, frame in enumerate(frames):
        assert frame.depth is not None
        last = odometry.process(replace(frame, depth=np.ascontiguousarray(change(index, frame.depth))))
    error = last.T_odom_camera[:3, 3] - (se3.inverse(world.poses[0]) @ world.poses[-1])[:3, 3]
    return float(np.sqrt(error @ np.linalg.solve(last.pose_covariance[:3, :3], error))), last


def normalized(_: int, depth: Depth) -> Depth:
    """For viewing: the median becomes 1."""
    return depth / np.median(depth)


def estimated(index: int, depth: Depth) -> Depth:
    """From single images, by a network: another scale in each."""
    return depth * np.float32(np.exp(np.random.default_rng(index).normal(0.0, 0.02)))


@pytest.mark.parametrize("change", [normalized, estimated])
def test_depth_of_a_changing_scale(simulator: ModuleType, change: Callable[[int, Depth], Depth]) -> None:
    sigmas, last = error_in_sigmas(furnished(simulator), frames_of_the_room(simulator), change)
    (warning,) = last.input_warnings
    assert warning.fault is InputFault.DEPTH_SCALE
    assert "changes by" in warning.text
    assert sigmas < 3
