from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry import motion_measurement
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, homogeneous
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate, estimate_relative_pose
from loftr_ros.odometry.pose.guided_matching import fits_gated, gated_matches, needs_guided_pass, selected
from loftr_ros.odometry.states import Degeneracy, TrackingState
from loftr_ros.odometry.visual_odometry import VisualOdometry

FOCAL, PIXEL = 300.0, 1 / 300.0
STEP = se3.transform(np.eye(3), [0.2, 0.0, 0.05])
PANEL = se3.transform(np.eye(3), [-0.7, 0.0, 0.05])  # one panel back
CERTAIN = np.diag([0.1] * 3 + [0.01] * 3) ** 2
FORWARD = (0.03, 0.0, 0.12, 0.0, 0.02, 0.004)


def seen(count: int, T_a_b: NDArray[np.float64], seed: int) -> NormalizedMatches:
    """Points 1 to 3 m away, whose depth is known to 1 %."""
    rng = np.random.default_rng(seed)
    a = rng.uniform((-0.5, -0.4), (0.5, 0.4), (count, 2))
    rho = 1.0 / rng.uniform(1.0, 3.0, count)
    in_b = (homogeneous(a) - rho[:, None] * T_a_b[:3, 3]) @ T_a_b[:3, :3]
    b = in_b[:, :2] / in_b[:, 2:] + 0.3 * PIXEL * rng.normal(size=(count, 2))
    return NormalizedMatches(a, b, rho, 0.01 * rho)


def together(*parts: NormalizedMatches) -> NormalizedMatches:
    return NormalizedMatches(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("a", "b", "inverse_depth", "sigma"))
    )


def measured(matches: NormalizedMatches) -> RelativePoseEstimate | None:
    return estimate_relative_pose(matches, FOCAL, np.zeros(3), 1.0, OdometryConfig(mode="rgbd"))


def test_matches_one_panel_off_are_outside_the_gate() -> None:
    matches = together(seen(80, STEP, 0), seen(120, PANEL, 1))
    gated = gated_matches(matches, STEP, CERTAIN, 3 * PIXEL)
    assert gated[:80].all()
    assert gated[80:].mean() < 0.1


def test_the_gate_grows_with_the_covariance_of_the_prediction() -> None:
    matches = together(seen(80, STEP, 0), seen(120, PANEL, 1))
    shares = [gated_matches(matches, STEP, size * CERTAIN, 3 * PIXEL).mean() for size in (1.0, 100.0, 1e4)]
    assert shares[0] <= shares[1] < shares[2] == 1.0


def test_the_gate_is_empty_without_depth_and_takes_the_median_where_it_is_missing() -> None:
    matches = seen(80, STEP, 0)
    assert not gated_matches(matches.without_depth(), STEP, CERTAIN, 3 * PIXEL).any()
    matches.inverse_depth[::2] = np.nan
    assert gated_matches(matches, STEP, CERTAIN, 10 * PIXEL)[::2].mean() > 0.7


def test_the_guided_motion_is_chosen_before_that_of_more_matches() -> None:
    matches = together(seen(60, STEP, 0), seen(80, PANEL, 1), seen(60, se3.exp(np.array([2, 1, 0, 0.5, 0, 0])), 2))
    motion, gated = measured(matches), gated_matches(matches, STEP, CERTAIN, 3 * PIXEL)
    assert motion is not None
    assert needs_guided_pass(motion, STEP, CERTAIN)
    assert not fits_gated(motion, gated)
    np.testing.assert_allclose(motion.T_keyframe_camera, PANEL, atol=0.05)
    chosen = selected(motion, measured(matches.select(gated)), gated)
    assert chosen is not None
    np.testing.assert_allclose(chosen.T_keyframe_camera, STEP, atol=0.01)
    assert chosen.inliers[:60].mean() > 0.9
    assert not chosen.inliers[60:].any()
    assert (chosen.depth_sensitivity[:60] != 0).any()
    assert chosen.depth_sensitivity.shape == (200, 6)


def test_a_jump_that_most_matches_agree_with_is_kept() -> None:
    matches = together(seen(40, STEP, 0), seen(120, PANEL, 1))
    motion, gated = measured(matches), gated_matches(matches, STEP, CERTAIN, 3 * PIXEL)
    guided = measured(matches.select(gated))
    assert motion is not None
    assert guided is not None
    assert selected(motion, None, gated) is motion
    chosen = selected(motion, guided, gated)
    assert chosen is not None
    assert chosen.T_keyframe_camera is motion.T_keyframe_camera
    error = STEP[:3, 3] - PANEL[:3, 3]  # if the few are right
    assert error @ np.linalg.inv(chosen.covariance[:3, :3]) @ error < 9
    assert Degeneracy.COMPETING_MOTION in chosen.degeneracies


def test_a_sudden_jump_is_that_of_an_object_if_some_matches_agree_with_the_prediction() -> None:
    matches = together(seen(40, STEP, 0), seen(120, PANEL, 1))
    motion, gated = measured(matches), gated_matches(matches, STEP, CERTAIN, 3 * PIXEL)
    chosen = selected(motion, measured(matches.select(gated)), gated, is_sudden=True)
    assert chosen is not None
    np.testing.assert_allclose(chosen.T_keyframe_camera, STEP, atol=0.01)
    assert Degeneracy.COMPETING_MOTION in chosen.degeneracies


def test_a_low_inlier_ratio_or_a_motion_outside_the_gate_needs_a_guided_pass() -> None:
    clean, dirty = seen(100, STEP, 0), together(seen(60, STEP, 0), seen(80, PANEL, 1))
    assert not needs_guided_pass(measured(clean), STEP, CERTAIN)
    assert needs_guided_pass(measured(clean), PANEL, CERTAIN)
    assert needs_guided_pass(measured(dirty), PANEL, 100 * CERTAIN) is False
    assert needs_guided_pass(None, STEP, CERTAIN)


def test_the_same_motion_of_fewer_matches_is_not_taken() -> None:
    matches = seen(100, STEP, 0)
    motion = measured(matches)
    assert fits_gated(motion, gated_matches(matches, STEP, CERTAIN, 3 * PIXEL))
    assert selected(motion, measured(matches.select(np.arange(100) < 90)), np.arange(100) < 90) is motion


def misled(world: Any, first: int) -> list[OdometryEstimate]:
    """Run the odometry; from frame `first` on more than half of the view is matched one panel off."""
    odometry: VisualOdometry[tuple[int, int]] = VisualOdometry(
        world, OdometryConfig(mode="rgbd", subpixel_refinement=False)
    )
    estimates = []
    for index, frame in enumerate(world.frames()):
        world.repeated = 0.6 if index >= first else 0.0
        estimates.append(odometry.process(frame))
    return estimates


@pytest.mark.parametrize("guided", [True, False])
def test_equal_panels_do_not_mislead_a_camera_in_motion(
    make_world: Callable[..., Any],
    curve: Callable[..., list[NDArray[np.float64]]],
    monkeypatch: pytest.MonkeyPatch,
    guided: bool,
) -> None:
    world = make_world(curve(10, FORWARD), period_px=(60.0, 0.0), outliers=0.25)
    if not guided:
        monkeypatch.setattr(motion_measurement, "needs_guided_pass", lambda *_: False)
    estimates = misled(world, 5)
    truth = se3.inverse(world.poses[0]) @ world.poses[-1]
    error = np.linalg.norm(estimates[-1].T_odom_camera[:3, 3] - truth[:3, 3])
    follows = error < 0.05 and all(estimate.state is TrackingState.TRACKING for estimate in estimates[1:])
    assert follows == guided
