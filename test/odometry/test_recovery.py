"""What goes wrong on a robot, one at a time, in the simulated world: the state, its reason, and the way back."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.evaluation.ate import evaluate
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import LostReason
from loftr_ros.odometry.visual_odometry import VisualOdometry

MakeWorld = Callable[..., Any]
Poses = list[NDArray[np.float64]]
Curve = Callable[..., Poses]
MODES: tuple[Mode, ...] = ("mono", "stereo", "rgbd")
SPEED = 10 * np.linalg.norm([0.03, 0.0, 0.12])  # of `curve`, per second
AROUND = se3.transform(se3.exp_rotation([0.0, np.pi, 0.0]), [0.0, 0.0, 0.0])


def run(world: Any, frames: Iterable[Frame], mode: Mode = "stereo", **settings: Any) -> list[OdometryEstimate]:
    """Run the odometry, and check what every estimate must be in every state."""
    odometry = VisualOdometry(world, OdometryConfig(mode=mode, subpixel_refinement=False, **settings))
    estimates = [odometry.process(frame) for frame in frames]
    for estimate in estimates:
        R = estimate.T_odom_camera[:3, :3]
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)
        assert np.isfinite(estimate.T_odom_camera).all()
        assert np.isfinite(estimate.twist).all()
        for covariance in (estimate.pose_covariance, estimate.twist_covariance):
            assert np.linalg.eigvalsh(covariance)[0] > 0
            assert np.abs(covariance).max() <= 1e9
        assert (estimate.lost_reason is not None) == (estimate.state.value == "lost")
    return estimates


def spoilt(world: Any, spoil: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], *indices: int) -> list[Frame]:
    """All frames, with the image of some changed."""
    frames = [replace(frame, image=detailed(frame.image)) for frame in world.frames()]
    for index in indices:
        frames[index] = replace(frames[index], image=np.asarray(spoil(frames[index].image), np.uint8))
    return frames


def detailed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give a view coarse structure as well, but keep the number it is known by."""
    row, column = np.indices(image.shape) // 60
    both = np.asarray(image // 3 + 150 * ((row + column) % 2), np.uint8)
    both[0, :2] = image[0, :2]
    return both


def blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    soft = np.asarray(cv2.blur(image, (16, 16)), np.uint8)
    soft[0, :2] = image[0, :2]
    return soft


def states(estimates: list[OdometryEstimate]) -> str:
    """One letter a frame."""
    return "".join(estimate.state.name[0] for estimate in estimates)


def reasons(estimates: list[OdometryEstimate]) -> set[LostReason | None]:
    return {estimate.lost_reason for estimate in estimates}


def positions(estimates: list[OdometryEstimate]) -> NDArray[np.float64]:
    return np.array([estimate.T_odom_camera[:3, 3] for estimate in estimates])


def errors(estimates: list[OdometryEstimate], poses: Poses, with_scale: bool = False) -> Any:
    stamps = np.array([estimate.stamp_ns for estimate in estimates])
    return evaluate(Trajectory.from_estimates(estimates), Trajectory(stamps, np.array(poses)), with_scale)


def end_error(estimates: list[OdometryEstimate], poses: Poses) -> float:
    """Meters between estimated and true position at the last frame."""
    truth = se3.inverse(poses[0]) @ poses[-1]
    return float(np.linalg.norm(estimates[-1].T_odom_camera[:3, 3] - truth[:3, 3]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("gray", "reason"), [(0, LostReason.DARK), (255, LostReason.OVEREXPOSED)])
def test_images_that_show_nothing(
    make_world: MakeWorld, curve: Curve, mode: Mode, gray: int, reason: LostReason
) -> None:
    """They are not even extracted, are no keyframes, and cost no accuracy."""
    world = make_world(curve(14))
    extracted: list[int] = []
    extract = world.extract
    world.extract = lambda image: extracted.append(int(image.mean())) or extract(image)
    estimates = run(world, spoilt(world, lambda image: np.full_like(image, gray), 6, 7, 8, 9), mode)
    assert states(estimates) == "I" + 5 * "T" + 4 * "L" + 4 * "T"
    assert reasons(estimates[6:10]) == {reason}
    assert gray not in extracted
    assert not any(estimate.is_keyframe for estimate in estimates[6:10])
    found = errors(estimates[:6] + estimates[10:], world.poses[:6] + world.poses[10:], with_scale=mode == "mono")
    assert found.ate_percent < 2
    assert found.rotation_mean_deg < 0.2
    variances = [np.trace(estimate.pose_covariance) for estimate in estimates]
    assert variances[5] < variances[6] < variances[7] < variances[9]
    assert variances[10] < variances[9]


@pytest.mark.parametrize("then", [(0.0, 0.0, 0.0, 0.0, 0.0, 0.0), (0.03, 0.0, 0.12, 0.0, -0.04, 0.0)])
def test_the_covariance_of_a_prediction_covers_what_the_camera_did(
    make_world: MakeWorld, curve: Curve, then: tuple[float, ...]
) -> None:
    """In the dark it brakes to a stop within 0.3 s, or turns the other way."""
    poses, before = curve(8), np.array([0.03, 0.0, 0.12, 0.0, 0.02, 0.004])
    for share in (0.67, 0.33, *10 * [0.0]):
        poses.append(poses[-1] @ se3.exp(share * before + (1 - share) * np.array(then)))
    world = make_world(poses)
    estimates = run(world, spoilt(world, np.zeros_like, *range(8, 20)))
    for index, estimate in list(enumerate(estimates))[8:]:
        truth, T = se3.inverse(poses[0]) @ poses[index], estimate.T_odom_camera
        error = np.concatenate([T[:3, 3] - truth[:3, 3], se3.log_rotation(T[:3, :3] @ truth[:3, :3].T)])
        assert error @ np.linalg.solve(estimate.pose_covariance, error) < 22.5  # 99.9 % of six degrees of freedom


@pytest.mark.parametrize("standing", [0, 1, 4])
def test_a_camera_that_has_not_moved_yet_may_be_anywhere_while_lost(
    make_world: MakeWorld, curve: Curve, standing: int
) -> None:
    """It drives off in the dark: at once, after the first frame, or after it stood."""
    still = curve(1)[:1] * standing
    poses = still + [(still or curve(1))[-1] @ se3.exp(np.array([0, 0, 1.0 * k, 0, 0, 0])) for k in range(1, 9)]
    world = make_world(poses, depth_images=False, size=(40.0, 30.0, 60.0))
    estimates = run(world, spoilt(world, np.zeros_like, *range(standing, len(poses))))
    assert states(estimates)[standing:] == 8 * "L"
    for driven, estimate in enumerate(estimates[max(standing, 1) :], 1):
        sigma = np.sqrt(estimate.pose_covariance[2, 2])
        assert driven / 3 < sigma < 5 * driven


@pytest.mark.parametrize("mode", MODES)
def test_the_first_frame_that_shows_something_is_the_origin(make_world: MakeWorld, curve: Curve, mode: Mode) -> None:
    world = make_world(curve(8))
    estimates = run(world, spoilt(world, np.zeros_like, 0, 1, 2), mode)
    assert states(estimates) == "LLLI" + 4 * "T"
    np.testing.assert_array_equal(positions(estimates[:4]), np.zeros((4, 3)))
    assert estimates[3].is_keyframe


def test_blur_is_the_reason_of_a_loss(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(16), blind=frozenset({8, 9}))
    estimates = run(world, spoilt(world, blurred, 8, 9))
    assert states(estimates) == "I" + 7 * "T" + 2 * "L" + 6 * "T"
    assert reasons(estimates[8:10]) == {LostReason.BLURRED}
    assert end_error(estimates, world.poses) < 0.03


def test_a_blurred_frame_is_used_but_no_keyframe_while_another_will_do(make_world: MakeWorld, curve: Curve) -> None:
    sharp = run(make_world(curve(12)), make_world(curve(12)).frames())
    replaced_at = next(index for index in range(1, 12) if sharp[index].is_keyframe)
    world = make_world(curve(12))
    estimates = run(world, spoilt(world, blurred, replaced_at))
    assert states(estimates) == "I" + 11 * "T"
    assert not estimates[replaced_at].is_keyframe
    assert estimates[replaced_at + 1].is_keyframe
    world = make_world(curve(12))
    estimates = run(world, spoilt(world, blurred, *range(1, 12)))
    assert any(estimate.is_keyframe for estimate in estimates[1:])


def test_matches_that_agree_on_nothing(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(6), outliers=1.0)
    match = world.match
    world.match = lambda a, b: match(a, b).select(np.arange(0, 900, 15))
    assert reasons(run(world, world.frames())[1:]) == {LostReason.NO_MOTION_FITS}
    world = make_world(curve(6), blind=frozenset(range(1, 6)))
    assert reasons(run(world, world.frames())[1:]) == {LostReason.FEW_MATCHES}


@pytest.mark.parametrize("mode", MODES)
def test_dropped_frames_are_harmless(make_world: MakeWorld, curve: Curve, mode: Mode) -> None:
    dropped = frozenset({4, 5, 6, 9, 10, 11, 12, 15})
    world = make_world(curve(20), dropped=dropped)
    estimates = run(world, world.frames(), mode)
    assert states(estimates) == "I" + 11 * "T"
    kept = [pose for index, pose in enumerate(world.poses) if index not in dropped]
    assert errors(estimates, kept, with_scale=mode == "mono").ate_percent < 1.5
    if mode != "mono":
        speeds = [np.linalg.norm(estimate.twist[:3]) for estimate in estimates[1:]]
        np.testing.assert_allclose(speeds, SPEED, rtol=0.1)


def late(frame: Frame, seconds: float) -> Frame:
    return replace(frame, stamp_ns=frame.stamp_ns + round(1e9 * seconds))


@pytest.mark.parametrize("mode", MODES)
def test_a_long_gap_tells_the_pose_but_no_velocity(make_world: MakeWorld, curve: Curve, mode: Mode) -> None:
    world = make_world(curve(20))
    frames = [late(frame, 60.0) if index >= 10 else frame for index, frame in enumerate(world.frames())]
    estimates = run(world, frames, mode)
    assert states(estimates) == "I" + 19 * "T"
    assert errors(estimates, world.poses, with_scale=mode == "mono").ate_percent < 1.5
    speeds = np.array([np.linalg.norm(estimate.twist[:3]) for estimate in estimates])
    np.testing.assert_allclose(speeds[11:], np.median(speeds[1:9]), rtol=0.15)
    assert estimates[10].twist_covariance[2, 2] > speeds[9] ** 2 > 10 * estimates[9].twist_covariance[2, 2]


def test_a_long_gap_in_the_dark_is_no_motion(make_world: MakeWorld, curve: Curve) -> None:
    """The camera went elsewhere: prediction for the bounded time, then a fresh start there."""
    poses = curve(10)
    world = make_world(poses[:5] + [pose @ AROUND for pose in poses])
    frames = [late(frame, 60.0) if index >= 5 else frame for index, frame in enumerate(world.frames())]
    estimates = run(world, frames, max_prediction=0.5)
    assert states(estimates) == "I" + 4 * "T" + 3 * "L" + 7 * "T"
    moved = np.linalg.norm(positions(estimates)[5] - positions(estimates)[4])
    assert 0.9 < moved / (0.5 * SPEED) < 1.1
    assert not estimates[5].twist.any()
    assert estimates[7].is_keyframe
    assert np.sqrt(estimates[-1].pose_covariance[0, 0]) > 1.0


def test_a_camera_lost_for_hours_stays_within_bounds(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(40), blind=frozenset(range(5, 40)))
    frames = [late(frame, 300.0 * max(index - 5, 0)) for index, frame in enumerate(world.frames())]
    estimates = run(world, frames)
    variances = np.array([np.trace(estimate.pose_covariance[:3, :3]) for estimate in estimates])
    assert (np.diff(variances[4:7]) > 0).all()
    np.testing.assert_allclose(variances[7:], variances[7], rtol=0.5)  # only lever arms change


def visit(curve: Curve, frames: int = 6) -> Poses:
    """A camera that follows a curve, is turned around for some frames, and goes on where it was."""
    poses = curve(16)
    return poses[:10] + frames * [poses[9] @ AROUND] + poses[9:]


@pytest.mark.parametrize("mode", MODES)
def test_a_kidnapped_camera_that_returns_finds_an_earlier_keyframe(
    make_world: MakeWorld, curve: Curve, mode: Mode
) -> None:
    world = make_world(visit(curve))
    estimates = run(world, world.frames(), mode)
    assert states(estimates) == "I" + 9 * "T" + 3 * "L" + 3 * "S" + 7 * "T"
    assert estimates[12].is_keyframe
    known = [*range(10), *range(17, 23)]
    found = errors([estimates[i] for i in known], [world.poses[i] for i in known], with_scale=mode == "mono")
    assert found.ate_percent < 1.5
    assert found.rotation_mean_deg < 0.2
    assert np.trace(estimates[17].pose_covariance) < 0.5 * np.trace(estimates[15].pose_covariance)
    # The correction is announced by the covariance, and is no velocity.
    jump = positions(estimates)[16] - positions(estimates)[15]
    assert jump @ np.linalg.solve(estimates[15].pose_covariance[:3, :3], jump) < 16
    speeds = [np.linalg.norm(estimate.twist[:3]) for estimate in estimates]
    assert max(speeds[16:]) < 1.5 * max(speeds[1:10])


def test_without_earlier_keyframes_the_prediction_stays(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(visit(curve))
    estimates = run(world, world.frames(), relocalization_keyframes=0, max_prediction=0.0)
    assert states(estimates)[16:] == 3 * "L" + 4 * "T"
    assert end_error(estimates, world.poses) > 0.2
    steps = np.linalg.norm(np.diff(positions(estimates), axis=0), axis=1)
    assert steps.max() < 0.15  # of a frame, predicted or measured, is 0.124
    with_ring = make_world(visit(curve))
    assert end_error(run(with_ring, with_ring.frames(), max_prediction=0.0), with_ring.poses) < 0.05


def test_one_earlier_keyframe_is_tried_a_frame(make_world: MakeWorld, curve: Curve) -> None:
    poses = curve(24)
    world = make_world([*poses, *6 * [poses[-1] @ AROUND]])
    matched: list[tuple[int, int]] = []
    match = world.match
    world.match = lambda a, b: matched.append((a[0], b[0])) or match(a, b)
    estimates = run(world, world.frames(), "rgbd", relocalization_keyframes=2)
    keyframes = [index for index in range(24) if estimates[index].is_keyframe]
    tried = [{a for a, b in matched if b == index} for index in range(24, 27)]
    assert [len(frames) for frames in tried] == [2, 2, 2]
    assert all(frames <= set(keyframes) for frames in tried)
    assert tried[0] != tried[1]
    assert tried[0] == tried[2]


@pytest.mark.parametrize("mode", MODES)
def test_an_impossible_step_is_refused_and_odom_stays_continuous(
    make_world: MakeWorld, curve: Curve, mode: Mode
) -> None:
    """The camera is 2.5 m further on within a tenth of a second; its new place matches the old."""
    jump = se3.transform(np.eye(3), [0.0, 0.0, 2.5])
    poses = curve(16)
    world = make_world(poses[:8] + [pose @ jump for pose in poses[8:]])
    estimates = run(world, world.frames(), mode, max_speed=5.0, max_speed_ratio=4.0, relocalization_keyframes=0)
    assert states(estimates) == "I" + 7 * "T" + 3 * "L" + 5 * "T"
    assert reasons(estimates[8:11]) == {LostReason.IMPOSSIBLE_MOTION}
    steps = np.linalg.norm(np.diff(positions(estimates), axis=0), axis=1)
    assert steps[7:].max() < 1.5 * np.median(steps[:7])


def test_an_impossible_turn_is_refused(make_world: MakeWorld, curve: Curve) -> None:
    poses = curve(12)
    turn = se3.exp(np.array([0.0, 0.0, 0.0, 0.0, 0.3, 0.0]))
    world = make_world(poses[:6] + [pose @ turn for pose in poses[6:]])
    assert states(run(world, world.frames())) == "I" + 11 * "T"
    estimates = run(world, world.frames(), max_angular_velocity=2.0)
    assert estimates[6].lost_reason is LostReason.IMPOSSIBLE_MOTION


def test_after_a_loss_only_a_pose_within_the_gate_is_taken(make_world: MakeWorld, curve: Curve) -> None:
    """The camera is carried 2 m back in the dark, within half a second and within sight of the keyframe."""
    back = se3.transform(np.eye(3), [0.0, 0.0, -2.0])
    poses = curve(16)
    world = make_world(poses[:10] + [pose @ back for pose in poses[10:]], blind=frozenset({8, 9}))
    estimates = run(world, world.frames())
    assert estimates[10].lost_reason is LostReason.IMPOSSIBLE_MOTION
    assert states(estimates)[-4:] == "TTTT"
    steps = np.linalg.norm(np.diff(positions(estimates), axis=0), axis=1)
    assert steps.max() < 0.15


class Zoo:
    """One matcher for the worlds of several image sizes. Images say who they are by the gray of two blocks."""

    def __init__(self, *worlds: Any) -> None:
        self.worlds = {(world.camera.height, world.camera.width): world for world in worlds}

    def frame(self, world: Any, index: int) -> Frame:
        frame = world.frame(index)
        assert frame.right is not None
        return replace(frame, image=self._marked(frame.image, index, 0), right=self._marked(frame.right, index, 200))

    def _marked(self, image: NDArray[np.uint8], *marks: int) -> NDArray[np.uint8]:
        height, width = image.shape
        for column, gray in enumerate(marks):
            image[height // 3 : height // 2, (3 + column) * width // 8 : (4 + column) * width // 8] = gray
        return image

    def extract(self, image: NDArray[np.uint8]) -> tuple[tuple[int, int], tuple[int, int]]:
        height, width = image.shape
        index, right = (int(image[2 * height // 5, column * width // 16]) for column in (7, 9))
        return (height, width), (index, int(right > 100))

    def match(self, a: Any, b: Any) -> Any:
        assert a[0] == b[0]
        return self.worlds[a[0]].match(a[1], b[1])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", ["smaller", "larger", "crop"])
def test_a_change_of_resolution_does_not_end_the_track(
    make_world: MakeWorld, curve: Curve, mode: Mode, how: str
) -> None:
    before = make_world(curve(12), noise_px=0.1)
    camera = before.camera
    if how == "crop":  # 20 pixels on the left, 12 at the top
        K = camera.K - [[0, 0, 20], [0, 0, 12], [0, 0, 0]]
        camera = replace(camera, width=280, height=216, K=K)
    else:
        factor = {"smaller": 0.5, "larger": 1.5}[how]
        camera = camera.scaled(round(factor * camera.width), round(factor * camera.height))
    after = make_world(curve(12), camera=camera, noise_px=0.1)
    zoo = Zoo(before, after)
    frames = [zoo.frame(before if index < 6 else after, index) for index in range(12)]
    estimates = run(zoo, frames, mode)
    assert states(estimates) == "I" + 11 * "T"
    found = errors(estimates, before.poses, with_scale=mode == "mono")
    assert found.ate_percent < 2
    assert found.rotation_mean_deg < 0.3


@pytest.mark.parametrize("mode", MODES)
def test_recovery_from_everything_in_a_row(make_world: MakeWorld, curve: Curve, mode: Mode) -> None:
    world = make_world(curve(24), blind=frozenset({12, 13}), dropped=frozenset({17, 18}))
    frames = spoilt(world, np.zeros_like, 5, 6)
    frames = [late(frame, 2.0) if index >= 9 else frame for index, frame in enumerate(frames)]
    estimates = run(world, frames, mode)
    assert states(estimates)[-6:] == 6 * "T"
    assert states(estimates).count("L") == 4
