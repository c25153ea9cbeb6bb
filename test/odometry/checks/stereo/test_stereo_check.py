"""Faults of stereo pairs are detected from their matches, without warnings for calibrated pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.input_fault import InputFault
from loftr_ros.odometry.checks.stereo.rig_deviation import PITCH, ROLL, SCALE, SLANT, RigDeviation
from loftr_ros.odometry.checks.stereo.stereo_check import StereoCheck
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.subpixel import refine_subpixel
from loftr_ros.odometry.states import LostReason
from loftr_ros.odometry.visual_odometry import VisualOdometry

MakeWorld = Callable[..., Any]
Curve = Callable[..., list[NDArray[np.float64]]]
Image = NDArray[np.uint8]
HALL = (6.0, 4.0, 30.0)  # deep: in front of a wall a lens of another focal length looks like a camera further ahead


def moved_right(rig: StereoRig, *twist: float) -> StereoRig:
    """Return the rig with its right camera moved by a twist (v, w) in its own axes."""
    return StereoRig(rig.right, rig.T_left_right @ se3.exp(np.array(twist)))


def enlarged(rig: StereoRig, factor: float) -> StereoRig:
    """Return the rig with another focal length of the right camera."""
    K = rig.right.K.copy()
    K[[0, 1], [0, 1]] *= factor
    return StereoRig(replace(rig.right, K=K), rig.T_left_right)


def converging(rig: StereoRig) -> StereoRig:
    """A raw rig: cameras that are turned towards each other, each by its lens distorted."""
    lens = replace(rig.right, distortion_model="plumb_bob", distortion=np.array([-0.2, 0.05, 0.001, 0.0, 0.0]))
    return StereoRig(lens, se3.transform(se3.exp(np.array([0, 0, 0, 0.03, -0.05, 0.02]))[:3, :3], [0.2, 0.01, -0.02]))


def fisheye(rig: StereoRig) -> StereoRig:
    """Lenses of 160 degrees, most of which is beyond 45."""
    K = np.array([[112.0, 0, 159.5], [0, 112, 119.5], [0, 0, 1]])
    lens = replace(rig.right, K=K, distortion_model="equidistant", distortion=np.array([0.02, -0.005, 0.0, 0.0]))
    return StereoRig(lens, rig.T_left_right)


def check(world: Any, told: StereoRig, pairs: Callable[[int], tuple[tuple[int, int], tuple[int, int]]]) -> StereoCheck:
    """Give a check three pairs of a world, of the images that `pairs` names (number of frame, 1 for the right)."""
    found = StereoCheck()
    for index in range(1, 4):
        found.add_pair(replace(world.frame(index), rig=told), world.match(*pairs(index)))
    return found


def as_taken(index: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (index, 0), (index, 1)


@pytest.mark.parametrize("make_rig", [lambda rig: rig, converging, fisheye], ids=["rectified", "raw", "fisheye"])
@pytest.mark.parametrize("noise_px", [0.05, 0.6])
def test_good_pairs_give_no_warning(make_world: MakeWorld, curve: Curve, make_rig: Any, noise_px: float) -> None:
    plain = make_world(curve(1))
    rig = make_rig(plain.rig)
    camera = rig.right if make_rig is fisheye else plain.camera
    world = make_world(curve(5), camera=camera, rig=rig, noise_px=noise_px, depth_images=False)
    found = check(world, rig, as_taken)
    assert found.warning is None
    assert found.gives_depth


@pytest.mark.parametrize("make_rig", [lambda rig: rig, converging], ids=["rectified", "raw"])
@pytest.mark.parametrize(
    ("fault", "unknown", "value", "text"),
    [
        (lambda rig: moved_right(rig, 0, 0, 0, 0.012, 0, 0), PITCH, 0.012, "px lower"),
        (lambda rig: moved_right(rig, 0, 0, 0, -0.024, 0, 0), PITCH, -0.024, "px higher"),
        (lambda rig: moved_right(rig, 0, 0, 0, 0, 0, np.radians(1.0)), ROLL, np.radians(1.0), "counterclockwise"),
        (lambda rig: enlarged(rig, 1.02), SCALE, 0.02, "larger"),
    ],
    ids=["lower", "higher", "roll", "scale"],
)
def test_misalignment_is_measured(
    make_world: MakeWorld, curve: Curve, make_rig: Any, fault: Any, unknown: int, value: float, text: str
) -> None:
    told = make_rig(make_world(curve(1)).rig)
    world = make_world(curve(5), rig=fault(told), noise_px=0.1, depth_images=False)
    deviation = RigDeviation.of(world.match(*as_taken(2)), world.camera, told)
    assert deviation.recalibrated.values[unknown] == pytest.approx(value, rel=0.1)
    warning = check(world, told, as_taken).warning
    assert warning is not None
    assert warning.fault is InputFault.STEREO_MISALIGNED
    assert text in warning.text


@pytest.mark.parametrize("make_rig", [lambda rig: rig, converging], ids=["rectified", "raw"])
def test_swapped_images_are_named(make_world: MakeWorld, curve: Curve, make_rig: Any) -> None:
    told = make_rig(make_world(curve(1)).rig)
    swapped = StereoRig(replace(told.right), se3.inverse(told.T_left_right))
    world = make_world(curve(5), rig=swapped, camera=told.right, depth_images=False)
    world.rig = StereoRig(make_world(curve(1)).camera, swapped.T_left_right)
    found = StereoCheck()
    for index in range(1, 4):
        frame = replace(world.frame(index), camera=make_world(curve(1)).camera, rig=told)
        found.add_pair(frame, world.match(*as_taken(index)))
    assert found.warning is not None
    assert found.warning.fault is InputFault.STEREO_SWAPPED
    assert not found.gives_depth


def test_one_image_given_twice_is_named(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(5), noise_px=0.1, depth_images=False)
    warning = check(world, world.rig, lambda index: ((index, 0), (index, 0))).warning
    assert warning is not None
    assert warning.fault is InputFault.STEREO_SAME


@pytest.mark.parametrize("late", [1, -1, 3])
@pytest.mark.parametrize("step", [(0.0, 0.0, 0.15, 0.0, 0.0, 0.0), (0.02, 0.0, 0.1, 0.004, 0.02, 0.003)])
def test_right_images_of_another_time_are_named(
    make_world: MakeWorld, curve: Curve, late: int, step: tuple[float, ...]
) -> None:
    world = make_world(curve(8, step), size=HALL, noise_px=0.1, depth_images=False)
    found = check(world, world.rig, lambda index: ((index + 2, 0), (index + 2 - late, 1)))
    assert found.warning is not None
    assert found.warning.fault is InputFault.STEREO_TIMES
    assert ("behind" if late > 0 else "ahead") in found.warning.text
    assert not found.gives_depth


def test_the_displacement_between_the_times_is_measured(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(4, (0.0, 0.0, 0.3, 0.0, 0.0, 0.0)), size=HALL, noise_px=0.1, depth_images=False)
    found = RigDeviation.of(world.match((2, 0), (3, 1)), world.camera, world.rig).relative_pose
    assert found.values[SLANT][1] == pytest.approx(0.3 / world.rig.baseline, rel=0.03)


def test_the_cause_is_ambiguous_for_a_plane(make_world: MakeWorld, curve: Curve) -> None:
    """What hangs before the left camera only, a picture whose points are elsewhere on the right, fits any pose."""
    world = make_world(curve(4), noise_px=0.1, depth_images=False)
    matches = world.match((0, 0), (0, 1))
    inner = (np.abs(matches.points_a - [320, 240]) < [260, 220]).all(axis=1)
    moved = matches.points_a + np.float32([-25.0, 13.0])
    points_b = np.where(inner[:, None], moved, matches.points_b).astype(np.float32)
    found = StereoCheck()
    for index in range(3):
        found.add_pair(world.frame(index), replace(matches, points_b=points_b))
    assert found.warning is not None
    assert found.warning.fault is InputFault.STEREO_UNMATCHED
    assert "flat object" in found.warning.text
    assert not found.gives_depth


@pytest.mark.parametrize("count", [0, 10, 400])
def test_images_of_two_scenes_are_detected(make_world: MakeWorld, curve: Curve, count: int) -> None:
    world = make_world(curve(5), depth_images=False)
    size, rng = (world.camera.width, world.camera.height), np.random.default_rng(0)
    found = StereoCheck()
    for index in range(3):
        points = rng.uniform((0, 0), size, (2, count, 2)).astype(np.float32)
        matches = Matches(points[0], points[1], np.ones(count, np.float32), np.arange(count))
        found.add_pair(world.frame(index), matches)
    assert found.warning is not None
    assert found.warning.fault is InputFault.STEREO_UNMATCHED
    assert f"{count} matches" in found.warning.text or count == 400


def test_a_single_faulty_pair_is_no_warning(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(6), size=HALL, depth_images=False)
    found = StereoCheck()
    for index in range(3):
        found.add_pair(world.frame(index), world.match(*as_taken(index)))
    found.add_pair(world.frame(3), world.match((3, 0), (0, 1)))
    assert found.warning is None
    assert not found.gives_depth  # of this pair


class WithFault:
    """The simulated matcher, whose right images are `late` frames old and `right_px` too far to the right."""

    def __init__(self, world: Any, late: int = 0, right_px: float = 0.0) -> None:
        self.world, self.late, self.right_px = world, late, right_px

    def extract(self, image: Image) -> tuple[int, int]:
        return self.world.extract(image)  # type: ignore[no-any-return]

    def match(self, features_a: tuple[int, int], features_b: tuple[int, int]) -> Matches:
        number, is_right = features_b
        matches: Matches = self.world.match(features_a, (max(number - self.late * is_right, 0), is_right))
        return replace(matches, points_b=matches.points_b + np.float32([is_right * self.right_px, 0]))


def run(world: Any, late: int = 0, right_px: float = 0.0) -> list[OdometryEstimate]:
    config = OdometryConfig(mode="stereo", subpixel_refinement=False, calibration_sigma=0.0)
    odometry = VisualOdometry(WithFault(world, late, right_px), config)
    return [odometry.process(frame) for frame in world.frames()]


def faults(estimates: list[OdometryEstimate]) -> set[InputFault]:
    return {warning.fault for estimate in estimates for warning in estimate.input_warnings}


@pytest.mark.parametrize("step", [(0.03, 0.0, 0.12, 0.0, 0.02, 0.004), (0.1, 0.0, 0.0, 0.0, 0.0, 0.0), (0.0,) * 6])
@pytest.mark.parametrize("scene", [{}, {"noise_px": 0.6}, {"uneven": 4.0}], ids=["usual", "noisy", "uneven"])
def test_odometry_of_calibrated_pairs_has_no_warning(
    make_world: MakeWorld, curve: Curve, step: tuple[float, ...], scene: dict[str, Any]
) -> None:
    assert faults(run(make_world(curve(10, step), depth_images=False, **scene))) == set()


def test_the_disparity_offset_is_unobservable_at_a_wall(make_world: MakeWorld, simulator: Any) -> None:
    """All depths are equal, so the intercept is noise."""
    poses = [se3.transform(np.eye(3), [0.1 * index, 0.0, 0.0]) for index in range(8)]
    assert faults(run(make_world(poses, panels=simulator.wall(4.0), depth_images=False))) == set()


@pytest.mark.parametrize("right_px", [-4.0, 4.0])
def test_disparities_that_motion_contradicts_are_named(make_world: MakeWorld, curve: Curve, right_px: float) -> None:
    """cx of the right camera is wrong, which the pair alone does not show."""
    estimates = run(make_world(curve(12), noise_px=0.1, depth_images=False), right_px=right_px)
    assert faults(estimates) == {InputFault.STEREO_DISPARITY}
    text = estimates[-1].input_warnings[0].text
    assert ("too large" if right_px < 0 else "too small") in text
    assert abs(right_px) == pytest.approx(float(text.split()[2]), rel=0.15)


@pytest.mark.parametrize("right_px", [-4.0, 4.0])
def test_the_covariance_covers_wrong_disparities(make_world: MakeWorld, curve: Curve, right_px: float) -> None:
    """The error of the length is common to all motions; in order, nothing is added."""
    world = make_world(curve(12), noise_px=0.1, depth_images=False)
    truth = (se3.inverse(world.poses[0]) @ world.poses[11])[:3, 3]
    in_order, off = run(world)[-1], run(world, right_px=right_px)[-1]
    error = float(np.linalg.norm(off.T_odom_camera[:3, 3] - truth))
    sigma, usual = (np.sqrt(np.linalg.eigvalsh(one.pose_covariance[:3, :3])[0]) for one in (off, in_order))
    assert error > 3.0 * usual
    assert error < 3.0 * sigma
    assert usual < 0.005 * np.linalg.norm(truth)


def test_a_late_right_image_gives_no_depth(make_world: MakeWorld, curve: Curve) -> None:
    """The first pair is of one time, because nothing was before; its depth is carried along as long as it lasts."""
    world = make_world(curve(14, (0.0, 0.0, 0.15, 0.0, 0.0, 0.0)), size=HALL, noise_px=0.1, depth_images=False)
    odometry = VisualOdometry(WithFault(world, late=1), OdometryConfig(mode="stereo", subpixel_refinement=False))
    estimates = [odometry.process(world.frame(index)) for index in range(1, 14)]
    assert faults(estimates) == {InputFault.STEREO_TIMES}
    assert {estimate.lost_reason for estimate in estimates[1:]} == {LostReason.NO_STEREO}


def shifted(image: Image, down_px: float) -> Image:
    moved = cv2.warpAffine(image, np.float32([[1, 0, 0], [0, 1, down_px]]), image.shape[::-1], flags=cv2.INTER_CUBIC)
    return np.asarray(moved, np.uint8)


def covered(image: Image) -> Image:
    """What a camera sees under its cap: noise."""
    return np.asarray(np.random.default_rng(0).normal(6, 2, image.shape).clip(0, 255), np.uint8)


@pytest.fixture(scope="module")
def matcher() -> Any:
    from loftr_ros.loftr.runtime.budget import ComputeBudget
    from loftr_ros.loftr.runtime.matcher import load_matcher

    return load_matcher("compact", "cpu", ComputeBudget(120_000, 2000))


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize("source", ["kitti/sequences/06", "euroc/V1_01_static"])
@pytest.mark.parametrize(
    ("change", "fault", "text"),
    [
        (lambda left, right, _: (left, right), None, ""),
        (lambda left, right, _: (left, shifted(right, 3)), InputFault.STEREO_MISALIGNED, "px lower"),
        (lambda left, right, _: (right, left), InputFault.STEREO_SWAPPED, "swapped"),
        (lambda left, right, _: (left, left), InputFault.STEREO_SAME, "same image"),
        (lambda left, right, _: (left, right[::-1].copy()), InputFault.STEREO_UNMATCHED, "upside down"),
        (lambda left, right, _: (left, covered(right)), InputFault.STEREO_UNMATCHED, "too dark"),
        (lambda left, right, before: (left, before), InputFault.STEREO_TIMES, "behind its place"),
    ],
    ids=["good", "lower", "swapped", "same", "upside down", "dark", "late"],
)
def test_recorded_pairs(
    recorded: Callable[[str], Path],
    matcher: Any,
    source: str,
    change: Callable[[Image, Image, Image], tuple[Image, Image]],
    fault: InputFault | None,
    text: str,
) -> None:
    from loftr_ros.sequences.formats import open_sequence

    if fault is InputFault.STEREO_TIMES and "euroc" in source:
        pytest.skip("that camera stands still")
    sequence = open_sequence(recorded(source), "stereo")
    frame, before = sequence[11], sequence[10].right
    assert frame.right is not None
    assert before is not None
    left, right = change(frame.image, frame.right, before)
    frame = Frame(frame.stamp_ns, left, frame.camera, right, None, frame.rig)
    matches = matcher.match(matcher.extract(left), matcher.extract(right)).valid(left.shape, right.shape)
    found = StereoCheck()
    found.add_pair(frame, refine_subpixel(frame.structure_tensor, right, matches, 3.0, forward_backward=False))
    assert (found.warning and found.warning.fault) == fault
    assert found.warning is None or text in found.warning.text


@pytest.mark.parametrize("pitch", [0.012, 0.0055])
def test_pairs_are_tested_at_any_time(make_world: MakeWorld, curve: Curve, pitch: float) -> None:
    """Later pairs of different times give no depth; a later misalignment is detected after some time."""
    world = make_world(curve(6), size=HALL, noise_px=0.1, depth_images=False)
    bent = make_world(
        curve(6), size=HALL, noise_px=0.1, rig=moved_right(world.rig, 0, 0, 0, pitch, 0, 0), depth_images=False
    )
    found = StereoCheck()
    for _ in range(20):
        found.add_pair(world.frame(3), world.match((3, 0), (3, 1)))
    for _ in range(2):
        found.add_pair(world.frame(3), world.match((3, 0), (0, 1)))
        assert not found.gives_depth
        found.add_pair(world.frame(3), world.match((3, 0), (3, 1)))
        assert found.gives_depth
    assert found.warning is None
    for _ in range(60):
        found.add_pair(world.frame(3), bent.match((3, 0), (3, 1)))
    assert found.warning is not None
    assert found.warning.fault is InputFault.STEREO_MISALIGNED
