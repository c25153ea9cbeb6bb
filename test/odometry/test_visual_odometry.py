from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.ate import evaluate
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig, OdometryConfigError
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import triangulate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.validation import FrameError, StampError
from loftr_ros.odometry.states import TrackingState
from loftr_ros.odometry.visual_odometry import VisualOdometry

MakeWorld = Callable[..., Any]
Curve = Callable[..., list[NDArray[np.float64]]]
FORWARD = (0.03, 0.0, 0.12, 0.0, 0.02, 0.004)


def run(world: Any, mode: str, **settings: Any) -> list[OdometryEstimate]:
    """Run the odometry over a world, and check what every estimate must be."""
    config = OdometryConfig(mode=mode, subpixel_refinement=False, **settings)  # type: ignore[arg-type]
    odometry: VisualOdometry[tuple[int, int]] = VisualOdometry(world, config)
    estimates = [odometry.process(frame) for frame in world.frames()]
    for estimate in estimates:
        assert_valid(estimate)
    return estimates


def assert_valid(estimate: OdometryEstimate) -> None:
    R = estimate.T_odom_camera[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)
    assert np.isfinite(estimate.T_odom_camera).all()
    assert np.isfinite(estimate.twist).all()
    for covariance in (estimate.pose_covariance, estimate.twist_covariance):
        np.testing.assert_array_equal(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance)[0] > 0
        assert np.abs(covariance).max() < 1e9
    assert len(estimate.inliers) == len(estimate.matches)
    assert np.isfinite(estimate.parallax_px)


def states(estimates: list[OdometryEstimate]) -> list[str]:
    return [estimate.state.name for estimate in estimates]


def errors(estimates: list[OdometryEstimate], world: Any, with_scale: bool) -> Any:
    stamps = np.array([estimate.stamp_ns for estimate in estimates])
    return evaluate(Trajectory.from_estimates(estimates), Trajectory(stamps, np.array(world.poses)), with_scale)


@pytest.mark.parametrize("mode", ["stereo", "rgbd"])
def test_metric_motion_is_recovered(make_world: MakeWorld, curve: Curve, mode: str) -> None:
    world = make_world(curve(25))
    estimates = run(world, mode)
    found = errors(estimates, world, with_scale=False)
    assert found.end_percent < 2.0
    assert found.rotation_mean_deg < 0.1
    assert states(estimates) == ["INITIALIZING"] + 24 * ["TRACKING"]
    assert all(estimate.scale_known for estimate in estimates[1:])


def test_monocular_motion_is_recovered_up_to_one_scale_across_keyframes(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(25))
    estimates = run(world, "mono")
    assert sum(estimate.is_keyframe for estimate in estimates) >= 5
    found = errors(estimates, world, with_scale=True)
    assert found.ate_percent < 1.5
    assert found.rotation_mean_deg < 0.15
    assert not any(estimate.scale_known for estimate in estimates)


def test_the_monocular_unit_is_the_distance_of_what_is_seen_first(make_world: MakeWorld, curve: Curve) -> None:
    poses = curve(2)
    world = make_world(poses)
    second = run(world, "mono")[1]
    camera, matches = world.camera, second.matches.select(second.inliers)
    points = (camera.normalize(points) for points in (matches.points_a, matches.points_b))
    inverse_depth, _ = triangulate(*points, second.T_odom_camera, 1e-3)
    assert np.median(inverse_depth) == pytest.approx(1.0, rel=0.05)


def test_a_single_camera_that_starts_slowly(make_world: MakeWorld) -> None:
    """Directions are little more than noise at first, but the lengths already tell how little the camera moved."""
    creeping = [se3.transform(np.eye(3), [0.004 * index, 0.0, -4.0]) for index in range(25)]
    world = make_world(creeping, noise_px=0.3)
    estimates = run(world, "mono", stationary_px=0.01)
    assert estimates[-1].state is TrackingState.TRACKING
    lengths = [np.linalg.norm(estimate.T_odom_camera[:3, 3]) for estimate in estimates]
    assert max(lengths) < 1.2 * lengths[-1]


def test_twist_is_the_body_velocity(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(12))
    for estimate in run(world, "stereo")[1:]:
        assert np.linalg.norm(estimate.twist[:3] - 10 * np.array(FORWARD[:3])) < 0.2
        assert np.linalg.norm(estimate.twist[3:] - 10 * np.array(FORWARD[3:])) < 0.05


def test_the_covariance_is_of_the_size_of_the_error(make_world: MakeWorld, curve: Curve) -> None:
    scores = []
    poses = curve(6)
    truth = se3.inverse(poses[0]) @ poses[-1]
    for seed in range(12):
        world = make_world(poses, rng=np.random.default_rng(seed))
        last = run(world, "stereo", calibration_sigma=0.0)[-1]  # the simulated calibration is exact
        T = last.T_odom_camera
        error = np.concatenate([T[:3, 3] - truth[:3, 3], se3.log_rotation(T[:3, :3] @ truth[:3, :3].T)])
        scores.append(error @ np.linalg.inv(last.pose_covariance) @ error)
    assert 1.5 < np.median(scores) < 20  # 6 for the exact covariance


def test_uncertainty_grows_along_the_path(make_world: MakeWorld, curve: Curve) -> None:
    variances = [np.trace(estimate.pose_covariance[:3, :3]) for estimate in run(make_world(curve(25)), "stereo")]
    assert variances[5] < variances[12] < variances[24]


@pytest.mark.parametrize("mode", ["mono", "stereo", "rgbd"])
def test_a_camera_that_stands_still_keeps_its_pose(make_world: MakeWorld, curve: Curve, mode: str) -> None:
    poses = curve(6)
    world = make_world([*poses, *6 * [poses[-1]]])
    estimates = run(world, mode)
    assert states(estimates)[6:] == 6 * ["STATIONARY"]
    for estimate in estimates[6:]:
        np.testing.assert_array_equal(estimate.T_odom_camera, estimates[5].T_odom_camera)
        assert not estimate.twist.any()
        assert estimate.num_inliers > 0.7 * estimate.num_matches
        growth = np.linalg.eigvalsh(estimate.pose_covariance - estimates[5].pose_covariance)
        assert growth.min() > -1e-12
        assert growth.max() < 0.05**2  # however long it stands


def test_standing_still_from_the_start(make_world: MakeWorld, curve: Curve) -> None:
    estimates = run(make_world(5 * curve(1)), "mono")
    assert states(estimates) == ["INITIALIZING"] + 4 * ["STATIONARY"]


def test_creeping_adds_up(make_world: MakeWorld, curve: Curve) -> None:
    """Motion of less than the threshold from frame to frame is not lost."""
    world = make_world(curve(60, step=(0.004, 0.0, 0.0, 0.0, 0.0, 0.0)))
    estimates = run(world, "stereo")
    still = [estimate for estimate in estimates if estimate.state is TrackingState.STATIONARY]
    assert len(still) > 5
    for estimate in still:  # 0.04 m/s sideways, which the zero velocity has to allow for
        assert np.sqrt(estimate.twist_covariance[0, 0]) > 0.04 / 4
    assert errors(estimates, world, with_scale=False).end_percent < 10


@pytest.mark.parametrize("mode", ["mono", "stereo"])
def test_pure_rotation_makes_no_translation(make_world: MakeWorld, curve: Curve, mode: str) -> None:
    world = make_world(curve(12, step=(0.0, 0.0, 0.0, 0.0, 0.03, 0.0)))
    estimates = run(world, mode)
    for estimate, pose in zip(estimates, world.poses, strict=True):
        turn = se3.log_rotation(estimate.T_odom_camera[:3, :3].T @ world.poses[0][:3, :3].T @ pose[:3, :3])
        assert np.degrees(np.linalg.norm(turn)) < 0.5
        assert np.linalg.norm(estimate.T_odom_camera[:3, 3]) < 0.03
    assert set(states(estimates)[1:]) == {"INITIALIZING" if mode == "mono" else "TRACKING"}


def test_a_turn_after_a_start_keeps_the_monocular_scale(make_world: MakeWorld, curve: Curve) -> None:
    poses = curve(8)
    for step in 10 * [(0.0, 0.0, 0.0, 0.0, 0.03, 0.0)] + 8 * [FORWARD]:
        poses.append(poses[-1] @ se3.exp(np.array(step)))
    world = make_world(poses)
    assert errors(run(world, "mono"), world, with_scale=True).ate_percent < 3


@pytest.mark.parametrize("mode", ["mono", "stereo"])
def test_a_single_wall(make_world: MakeWorld, curve: Curve, mode: str) -> None:
    world = make_world(curve(15), size=(100.0, 100.0, 12.0))
    assert errors(run(world, mode), world, with_scale=mode == "mono").rotation_mean_deg < 0.5


@pytest.mark.parametrize("mode", ["mono", "stereo", "rgbd"])
def test_a_lost_camera_goes_on_for_a_while_and_recovers(make_world: MakeWorld, curve: Curve, mode: str) -> None:
    world = make_world(curve(24), blind=frozenset(range(12, 16)))
    estimates = run(world, mode)
    assert states(estimates)[12:16] == 4 * ["LOST"]
    assert states(estimates)[18:] == 6 * ["TRACKING"]
    positions = np.array([estimate.T_odom_camera[:3, 3] for estimate in estimates])
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    assert steps[11:].max() < 2.5 * np.median(steps)
    variances = [np.trace(estimate.pose_covariance) for estimate in estimates]
    assert variances[11] < variances[12] < variances[13] < variances[14]


def test_a_camera_that_stays_lost_stops(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(40), blind=frozenset(range(8, 40)))
    estimates = run(world, "stereo", max_prediction=0.5)
    positions = np.array([estimate.T_odom_camera[:3, 3] for estimate in estimates])
    np.testing.assert_allclose(positions[20:], positions[20:21].repeat(20, axis=0), atol=1e-9)
    assert not estimates[-1].twist.any()
    assert np.linalg.norm(positions[-1] - positions[7]) < 1.5 * 0.5 * 10 * np.linalg.norm(FORWARD[:3])


def test_blind_from_the_start(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(20), blind=frozenset(range(6)))
    estimates = run(world, "mono")
    assert states(estimates)[1:6] == 5 * ["LOST"]
    assert estimates[-1].state is TrackingState.TRACKING


def test_matches_that_are_no_numbers_are_dropped(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(6))
    match = world.match

    def spoiled(features_a: Any, features_b: Any) -> Matches:
        matches: Matches = match(features_a, features_b)
        matches.points_b[::7] = np.nan
        return matches

    world.match = spoiled
    assert errors(run(world, "stereo"), world, with_scale=False).end_percent < 3


def test_what_an_estimate_tells_about_its_making(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(4))
    first, second, *_ = run(world, "stereo")
    assert first.is_keyframe
    assert first.reference is None
    assert first.num_matches == 0
    assert list(second.timings_ms) == ["check", "extract", "match", "subpixel", "pose", "keyframe"]
    assert second.reference is not None
    assert second.reference.stamp_ns == first.stamp_ns
    assert 0.8 * second.num_matches < second.num_inliers < second.num_matches
    assert second.parallax_px > 1.0


def test_reset_starts_anew(make_world: MakeWorld, curve: Curve) -> None:
    world = make_world(curve(5))
    odometry = VisualOdometry(world, OdometryConfig(mode="stereo", subpixel_refinement=False))
    for frame in world.frames():
        odometry.process(frame)
    odometry.reset()
    estimate = odometry.process(world.frame(0))
    assert estimate.state is TrackingState.INITIALIZING
    np.testing.assert_array_equal(estimate.T_odom_camera, np.eye(4))


@pytest.mark.parametrize(
    ("mode", "spoil", "message"),
    [
        ("stereo", lambda f: replace(f, right=None), "no right image"),
        ("stereo", lambda f: replace(f, right=f.image[:-1]), "right image is 320x239 but the camera .* 320x240"),
        ("stereo", lambda f: replace(f, rig=None), r"P\[3\]"),
        ("rgbd", lambda f: replace(f, depth=None), "no depth image"),
        ("rgbd", lambda f: replace(f, depth=f.depth.astype(np.uint16)), "float32"),
        ("rgbd", lambda f: replace(f, depth=f.depth[::2, ::2].copy()), "160x120 .* use depth that is registered"),
        (
            "mono",
            lambda f: replace(f, image=f.image[:, :-8]),
            "312x240 but the camera is calibrated for 320x240; use the calibration of this resolution.$",
        ),
        ("mono", lambda f: replace(f, image=f.image[::2, ::2]), "0.5 times as large: .* width 160, height 120, fx 125"),
        ("mono", lambda f: replace(f, image=np.dstack(3 * [f.image])), "one channel"),
    ],
)
def test_frames_that_cannot_be_used(
    make_world: MakeWorld, curve: Curve, mode: Any, spoil: Callable[[Frame], Frame], message: str
) -> None:
    world = make_world(curve(1))
    with pytest.raises(FrameError, match=message):
        VisualOdometry(world, OdometryConfig(mode=mode)).process(spoil(world.frame(0)))


@pytest.mark.parametrize("earlier_ns", [0, 1])
def test_stamps_must_increase_and_a_refused_frame_changes_nothing(
    make_world: MakeWorld, curve: Curve, earlier_ns: int
) -> None:
    world = make_world(curve(3))
    odometry = VisualOdometry(world, OdometryConfig(mode="stereo", subpixel_refinement=False))
    odometry.process(world.frame(0))
    odometry.process(world.frame(1))
    with pytest.raises(StampError, match="stamp"):
        odometry.process(replace(world.frame(2), stamp_ns=world.frame(1).stamp_ns - earlier_ns))
    assert odometry.process(world.frame(2)).state is TrackingState.TRACKING


@pytest.mark.parametrize(
    "setting",
    [
        {"mode": "lidar"},
        {"ransac_threshold_px": 0.0},
        {"ransac_threshold_px": float("nan")},
        {"stationary_px": -1.0},
        {"min_inliers": 4},
        {"keyframe_min_inlier_ratio": 1.5},
        {"lost_frames_to_restart": 0},
        {"relocalization_keyframes": -1},
        {"revisit_keyframes": -1},
        {"max_speed": 0.0},
        {"max_speed_ratio": float("nan")},
        {"max_angular_velocity": 0.0},
        {"max_gap": 0.0},
    ],
)
def test_settings_out_of_range_are_named(setting: dict[str, Any]) -> None:
    with pytest.raises(OdometryConfigError, match=next(iter(setting))):
        OdometryConfig(**setting)
    assert issubclass(OdometryConfigError, LoftrRosError)
