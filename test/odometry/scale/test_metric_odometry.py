"""A single camera in meters, in the simulated world."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry.config import OdometryConfig, OdometryConfigError
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.scale.metric_odometry import MetricOdometry
from loftr_ros.odometry.scale.wheel_scale import PositionBuffer
from loftr_ros.odometry.visual_odometry import VisualOdometry

MakeWorld = Callable[..., Any]
Array = NDArray[np.float64]
HEIGHT, PITCH = 1.6, 0.1  # of the camera over the floor
DRIVE = (0.0, 0.0, 0.8, 0.0, 0.01, 0.0)
LEVER = np.array([0.2, 0.0, 0.3])  # from the axle to the camera, in the axes of the camera
BY_HEIGHT: dict[str, Any] = {"scale_source": "camera_height", "camera_height": HEIGHT, "camera_pitch": PITCH}
BY_WHEELS: dict[str, Any] = {"scale_source": "odometry"}
HALL = (10.0, 2 * HEIGHT, 80.0)
FLOOR = 3  # among the walls of a room


def driven(*steps: tuple[float, ...]) -> list[Array]:
    """Poses of a camera that looks down by PITCH on a vehicle that makes these steps (v, w) over a level floor."""
    T_level_camera = se3.transform(se3.exp_rotation([-PITCH, 0, 0]), np.zeros(3))
    level = [se3.transform(np.eye(3), [-1.0, 0.0, -30.0])]
    for step in steps:
        level.append(level[-1] @ se3.exp(np.array(step)))
    return [T @ T_level_camera for T in level]


def frames(world: Any) -> list[Frame]:
    """The frames of a world without depth images, which take most of its time."""
    found = []
    for index in range(len(world.poses)):
        image = world._view.copy()
        image[0, :2] = (index, 0)
        found.append(Frame(100_000_000 * index, image, world.camera))
    return found


def rolled(poses: list[Array], noise: float = 0.0, slip: dict[int, float] | None = None) -> PositionBuffer:
    """What the wheels say at 10 Hz, like the camera: noise as a share of each step, slip by frame."""
    rng = np.random.default_rng(4)
    wheels, x = PositionBuffer(), 0.0
    axle = [T[:3, 3] - T[:3, :3] @ LEVER for T in poses]
    for index, place in enumerate(axle):
        x += float(np.linalg.norm(place - axle[max(index - 1, 0)])) * (1 + noise * rng.standard_normal())
        x += (slip or {}).get(index, 0.0)
        wheels.add(100_000_000 * index, np.array([x, 0.0, 0.0]))
    return wheels


def run(world: Any, wheels: PositionBuffer | None = None, **settings: Any) -> list[OdometryEstimate]:
    config = OdometryConfig(mode="mono", subpixel_refinement=False, **settings)
    odometry: MetricOdometry[tuple[int, int]] = MetricOdometry(world, config, wheels)
    estimates = [odometry.process(frame) for frame in frames(world)]
    for estimate in estimates:
        assert_valid(estimate)
    return estimates


def assert_valid(estimate: OdometryEstimate) -> None:
    assert np.isfinite(estimate.T_odom_camera).all()
    assert np.isfinite(estimate.twist).all()
    for covariance in (estimate.pose_covariance, estimate.twist_covariance):
        np.testing.assert_array_equal(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance)[0] > 0
        assert np.abs(covariance).max() < 1e9


def in_units(world: Any) -> list[OdometryEstimate]:
    odometry: VisualOdometry[tuple[int, int]] = VisualOdometry(
        world, OdometryConfig(mode="mono", subpixel_refinement=False)
    )
    return [odometry.process(frame) for frame in frames(world)]


def first_known(estimates: list[OdometryEstimate]) -> int:
    """Index of the first estimate in meters; they all are from there on."""
    known = [estimate.scale_known for estimate in estimates]
    assert any(known)
    assert all(known[known.index(True) :])
    return known.index(True)


def assert_metric(estimates: list[OdometryEstimate], world: Any, share: float) -> None:
    """Path and speed, since the scale is known, are right within a share, and within their own uncertainty."""
    begin = first_known(estimates) - 1
    assert begin < 10
    found, true = estimates[begin].T_odom_camera, world.poses[begin]
    way = (se3.inverse(found) @ estimates[-1].T_odom_camera)[:3, 3]
    true_way = (se3.inverse(true) @ world.poses[-1])[:3, 3]
    assert np.linalg.norm(way) == pytest.approx(np.linalg.norm(true_way), rel=share)
    last = estimates[-1]
    speed, direction = np.linalg.norm(last.twist[:3]), last.twist[:3] / np.linalg.norm(last.twist[:3])
    sigma = np.sqrt(direction @ last.twist_covariance[:3, :3] @ direction)
    true_speed = 10 * np.linalg.norm((se3.inverse(world.poses[-2]) @ world.poses[-1])[:3, 3])
    assert abs(speed - true_speed) < 3 * sigma
    assert sigma < 0.1 * speed


@pytest.fixture
def hall(make_world: MakeWorld) -> Any:
    """A drive through a long hall."""
    return make_world(driven(*20 * [DRIVE]), size=HALL)


def test_by_the_height_of_the_camera(hall: Any) -> None:
    assert_metric(run(hall, **BY_HEIGHT), hall, 0.02)


def test_by_wheels(hall: Any) -> None:
    assert_metric(run(hall, rolled(hall.poses, noise=0.01), **BY_WHEELS), hall, 0.02)


def test_by_wheels_that_slip(hall: Any) -> None:
    wheels = rolled(hall.poses, 0.01, {5: 0.5, 12: -0.4, 13: 0.4, 16: -0.4})
    assert_metric(run(hall, wheels, **BY_WHEELS), hall, 0.02)


def test_by_wheels_of_a_robot_that_turns_in_place(make_world: MakeWorld) -> None:
    """The camera, before the axle, moves although the wheels say that the axle does not."""
    turn, ahead = (0.0, 0.0, 0.0, 0.0, 0.1, 0.0), (0.0, 0.0, 0.15, 0.0, 0.0, 0.0)
    axle = [np.eye(4)]
    for step in 14 * [ahead] + 12 * [turn] + 22 * [ahead]:
        axle.append(axle[-1] @ se3.exp(np.array(step)))
    world = make_world([T @ se3.transform(np.eye(3), LEVER) for T in axle])
    estimates = run(world, rolled(world.poses), **BY_WHEELS)
    assert first_known(estimates) < 20
    found, true = ([T[40][:3, 3], T[48][:3, 3]] for T in ([e.T_odom_camera for e in estimates], world.poses))
    assert np.linalg.norm(found[1] - found[0]) == pytest.approx(np.linalg.norm(true[1] - true[0]), rel=0.03)


def test_the_covariance_covers_the_error_of_the_position(make_world: MakeWorld) -> None:
    scores = []
    poses = driven(*8 * [DRIVE])
    truth = se3.inverse(poses[0]) @ poses[-1]
    for seed in range(6):
        last = run(make_world(poses, size=HALL, rng=np.random.default_rng(seed)), **BY_HEIGHT)[-1]
        error = last.T_odom_camera[:3, 3] - truth[:3, 3]
        scores.append(error @ np.linalg.inv(last.pose_covariance[:3, :3]) @ error)
    assert max(scores) < 16  # one in a thousand of the exact covariance


@pytest.mark.parametrize("settings", [BY_HEIGHT, BY_WHEELS], ids=["height", "wheels"])
def test_until_the_scale_is_known(make_world: MakeWorld, settings: dict[str, Any]) -> None:
    """Lengths are those of the odometry without a scale, and are marked as not metric."""
    world = make_world(driven(*3 * [DRIVE]), size=HALL)
    estimates = run(world, rolled(world.poses), **settings)
    assert not any(estimate.scale_known for estimate in estimates)
    for scaled, plain in zip(estimates[:2], in_units(make_world(world.poses, size=HALL)), strict=False):
        np.testing.assert_allclose(scaled.T_odom_camera, plain.T_odom_camera, atol=1e-9)
    assert np.linalg.norm(estimates[1].T_odom_camera[:3, 3]) < DRIVE[2] / 5
    assert np.trace(estimates[1].pose_covariance[:3, :3]) > DRIVE[2] ** 2
    assert np.trace(estimates[1].twist_covariance[:3, :3]) > (DRIVE[2] / 0.1) ** 2


@pytest.mark.parametrize("scene", ["bare floor", "wall"])
def test_no_ground_no_scale(make_world: MakeWorld, simulator: Any, scene: str) -> None:
    panels = simulator.room(HALL)
    del panels[FLOOR]
    if scene == "wall":
        panels = simulator.wall(-18.0)
    world = make_world(driven(*10 * [(0.3, 0.0, 0.3, 0.0, 0.0, 0.0)]), panels=panels)
    estimates = run(world, **BY_HEIGHT)
    assert not any(estimate.scale_known for estimate in estimates)
    for scaled, plain in zip(estimates, in_units(make_world(world.poses, panels=panels)), strict=True):
        np.testing.assert_allclose(scaled.T_odom_camera, plain.T_odom_camera, atol=1e-9)


def test_without_ground_the_last_scale_is_kept(make_world: MakeWorld, simulator: Any) -> None:
    """The floor becomes so smooth that no match is found on it."""
    panels = simulator.room(HALL)
    panels[FLOOR] = simulator.Panel((0, HEIGHT, -22), (5, 0, 0), (0, 0, 8))
    world = make_world(driven(*30 * [(0.0, 0.0, 0.8, 0.0, 0.0, 0.0)]), panels=panels)
    estimates = run(world, **BY_HEIGHT)
    assert first_known(estimates) < 12
    variances = [estimate.twist_covariance[2, 2] / estimate.twist[2] ** 2 for estimate in estimates[16:]]
    assert variances[0] < variances[-1] < 9 * variances[0]
    assert np.linalg.norm(estimates[-1].twist[:3]) == pytest.approx(8.0, rel=0.05)


def test_a_table_in_the_way_is_outvoted(make_world: MakeWorld, simulator: Any) -> None:
    """A ramp hides the floor for a while."""
    ramp = simulator.Panel((0, 0.9, -12), (5, 0, 0), (0, 0, 2))
    world = make_world(driven(*24 * [(0.0, 0.0, 0.8, 0.0, 0.0, 0.0)]), panels=[ramp, *simulator.room(HALL)])
    assert_metric(run(world, **BY_HEIGHT), world, 0.03)


@pytest.mark.parametrize("settings", [BY_HEIGHT, BY_WHEELS], ids=["height", "wheels"])
def test_nothing_jumps_when_the_scale_changes(make_world: MakeWorld, settings: dict[str, Any]) -> None:
    """Every step is the one in units times one of the recent scales; what was before it does not matter."""
    poses, blind = driven(*16 * [DRIVE]), frozenset({12, 13})
    scaled = run(make_world(poses, size=HALL, blind=blind), rolled(poses, 0.01, {6: 0.3}), **settings)
    plain = in_units(make_world(poses, size=HALL, blind=blind))
    scales = []
    for index in range(1, len(scaled)):
        step, in_unit = (se3.inverse(e[index - 1].T_odom_camera) @ e[index].T_odom_camera for e in (scaled, plain))
        np.testing.assert_allclose(step[:3, :3], in_unit[:3, :3], atol=1e-9)
        scales.append(np.linalg.norm(step[:3, 3]) / np.linalg.norm(in_unit[:3, 3]))
        np.testing.assert_allclose(scaled[index].twist[:3], scales[-1] * plain[index].twist[:3], rtol=1e-6)
    assert scales[0] == pytest.approx(1.0)
    assert len(set(np.round(scales, 6))) >= 4
    assert np.ptp(np.log(scales[first_known(scaled) :])) < 0.1


def test_a_loss_does_not_end_the_scale(make_world: MakeWorld) -> None:
    """Tracking starts afresh with a unit of its own, which the next keyframes show."""
    world = make_world(driven(*28 * [DRIVE]), size=HALL, blind=frozenset(range(12, 18)))
    estimates = run(world, **BY_HEIGHT)
    assert first_known(estimates) < 12
    assert estimates[13].state.name == "LOST"
    assert np.linalg.norm(estimates[-1].twist[:3]) == pytest.approx(8.0, rel=0.03)


def test_a_reset_forgets_the_scale(hall: Any) -> None:
    odometry: MetricOdometry[tuple[int, int]] = MetricOdometry(
        hall, OdometryConfig(mode="mono", subpixel_refinement=False, **BY_HEIGHT)
    )
    assert [odometry.process(frame) for frame in frames(hall)[:12]][-1].scale_known
    odometry.reset()
    first, second = (odometry.process(frame) for frame in frames(hall)[:2])
    np.testing.assert_allclose(first.T_odom_camera, np.eye(4), atol=1e-12)
    assert not second.scale_known


@pytest.mark.parametrize("mode", ["mono", "stereo"])
def test_without_a_source_it_is_the_plain_odometry(make_world: MakeWorld, mode: Any) -> None:
    worlds = [make_world(driven(*3 * [DRIVE]), size=HALL) for _ in range(2)]
    config = OdometryConfig(mode=mode, subpixel_refinement=False)
    plain: VisualOdometry[tuple[int, int]] = VisualOdometry(worlds[0], config)
    scaled: MetricOdometry[tuple[int, int]] = MetricOdometry(worlds[1], config)
    for index in range(4):
        expected, found = plain.process(worlds[0].frame(index)), scaled.process(worlds[1].frame(index))
        np.testing.assert_array_equal(found.T_odom_camera, expected.T_odom_camera)
        np.testing.assert_array_equal(found.pose_covariance, expected.pose_covariance)
        assert (found.scale_known, found.timings_ms.keys()) == (mode == "stereo", expected.timings_ms.keys())


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"scale_source": "gps"}, "scale_source"),
        ({"scale_source": "odometry", "mode": "stereo"}, "scale_source"),
        ({"scale_source": "camera_height"}, "camera_height"),
        ({"scale_source": "camera_height", "camera_height": float("nan")}, "camera_height"),
        ({"scale_source": "camera_height", "camera_height": 1.0, "camera_pitch": 1.6}, "camera_pitch"),
        ({"scale_source": "camera_height", "camera_height": 1.0, "camera_pitch": float("nan")}, "camera_pitch"),
    ],
)
def test_settings_that_make_no_scale(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(OdometryConfigError, match=f"^{name} is"):
        OdometryConfig(**settings)


def of_two_robots(i: int, x: float) -> float:
    return x + 500.0 * (i % 2)


def in_millimeters(i: int, x: float) -> float:
    return 1000.0 * x


def started_over(i: int, x: float) -> float:
    return x + 100.0 * (i > 1)


@pytest.mark.parametrize("position", [of_two_robots, in_millimeters, started_over])
def test_positions_that_jump_measure_no_scale(make_world: MakeWorld, position: Callable[[int, float], float]) -> None:
    """A first sample that is wrong displaces the path for good, as nothing contradicts it."""
    world = make_world(driven(*[DRIVE] * 16), size=HALL, depth_images=False)
    wheels = PositionBuffer()
    for index in range(len(world.poses)):
        wheels.add(100_000_000 * index, np.array([position(index, 0.8 * index), 0.0, 0.0]))
    estimates = run(world, wheels, **BY_WHEELS)
    positions = np.array([estimate.T_odom_camera[:3, 3] for estimate in estimates])
    assert np.linalg.norm(np.diff(positions, axis=0), axis=1).max() < 1.0
    assert any(estimate.scale_known for estimate in estimates) == (position is started_over)
    truth = se3.inverse(world.poses[0]) @ world.poses[-1]
    error = np.abs(positions[-1] - truth[:3, 3])
    assert (error < 4 * np.sqrt(np.diag(estimates[-1].pose_covariance)[:3]) + 0.1).all()
