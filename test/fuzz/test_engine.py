"""The odometry with adversarial matchers, images, depth, rigs, stamps and settings.

Whatever comes, the only exceptions are those for the user, and an estimate is one that a robot may use: finite, a
rigid motion, with positive definite covariances that consumers take, and within the motion limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from loftr_ros.errors import LoftrRosError
from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.scale.metric_odometry import MetricOdometry
from loftr_ros.odometry.states import TrackingState

# Focal length, and distortion: none, usual, one that turns back inside the image, and fisheye up to 274 degrees.
LENSES = (
    (75.0, "none", ()),
    (75.0, "plumb_bob", (-0.3, 0.1, 0.001, -0.001)),
    (40.0, "plumb_bob", (-0.5, 0.0, 0.0, 0.0)),
    (75.0, "plumb_bob", (50.0, -1e3, 0.5, 0.5)),
    (40.0, "equidistant", (0.0, 0.0, 0.0, 0.0)),
    (25.0, "equidistant", (0.01, -0.05, 0.2, -0.2)),
)
GAPS_NS = (1, 1000, 10**6, 10**8, 10**9, 10**11, 10**17, 0, -1, -(10**10))
SETUPS = ("stereo", "rgbd", "mono", "camera_height", "odometry")


@dataclass(frozen=True)
class Step:
    """A frame: what is done to its matches and images, and its time after the one before."""

    spoilers: tuple[str, ...]
    is_frame_spoiled: bool
    gap_ns: int
    order: str


@dataclass(frozen=True)
class Scenario:
    """Setup, frames, and the seed of all numbers."""

    setup: str
    lens: tuple[float, str, tuple[float, ...]]
    seed: int
    share_of_settings: float
    baseline: float
    motion: tuple[float, ...]
    steps: list[Step]


def scenarios(spoilers: list[str]) -> st.SearchStrategy[Scenario]:
    usual = st.just("untouched")
    step = st.builds(
        Step,
        spoilers=st.lists(usual | st.sampled_from(spoilers), min_size=1, max_size=2).map(tuple),
        is_frame_spoiled=st.sampled_from([False, False, False, True]),
        gap_ns=st.just(10**8) | st.sampled_from(GAPS_NS),
        order=st.sampled_from(["", "", "", "", "", "", "reset", "stale features", "settings"]),
    )
    return st.builds(
        Scenario,
        setup=st.sampled_from(SETUPS),
        lens=st.just(LENSES[0]) | st.sampled_from(LENSES),
        seed=st.integers(0, 2**32 - 1),
        share_of_settings=st.sampled_from([0.0, 0.0, 0.1, 1.0]),
        baseline=st.just(0.2) | st.sampled_from([1e-9, 1e-3, 1e4, 1e9]),
        motion=st.tuples(
            *[st.sampled_from([0.0, 0.1, 0.1, 5.0])] * 3, *[st.sampled_from([0.0, 0.0, 0.01, 0.5, 3.1])] * 3
        ),
        steps=st.lists(step, min_size=2, max_size=8),
    )


class SpoiledMatcher:
    """The matches of the simulated world, spoiled as the current step says."""

    def __init__(self, world: Any, adversary: ModuleType, rng: np.random.Generator) -> None:
        self._world, self._adversary, self._rng = world, adversary, rng
        self.spoilers: tuple[str, ...] = ()

    def extract(self, image: np.ndarray) -> tuple[int, int]:
        index, is_right = self._world.extract(image)
        return index % len(self._world.poses), is_right % 2

    def match(self, features_a: tuple[int, int], features_b: tuple[int, int]) -> Matches:
        matches = self._world.match(features_a, features_b)
        for name in self.spoilers:
            if len(matches):
                matches = self._adversary.SPOILERS[name](matches, self._rng)
        return matches


def config_of(scenario: Scenario, settings: dict[str, Any], rng: np.random.Generator) -> OdometryConfig:
    mode = scenario.setup if scenario.setup in ("stereo", "rgbd") else "mono"
    source = scenario.setup if scenario.setup in ("camera_height", "odometry") else "none"
    heights, pitches = (1.6, 1.6, 1e-6, 1000.0), (0.1, 0.1, 1.5, -1.57, 1.57)
    chosen = {"camera_height": float(rng.choice(heights)), "camera_pitch": float(rng.choice(pitches))}
    height = chosen if source == "camera_height" else {}
    return OdometryConfig(mode=mode, scale_source=source, **height, **settings)


def assert_usable(estimate: OdometryEstimate, frame: Frame) -> None:
    assert estimate.stamp_ns == frame.stamp_ns
    assert isinstance(estimate.state, TrackingState)
    assert (estimate.lost_reason is not None) or estimate.state is not TrackingState.LOST
    for numbers in (estimate.T_odom_camera, estimate.twist, estimate.parallax_px):
        assert np.isfinite(numbers).all()
    R = estimate.T_odom_camera[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(R) > 0
    np.testing.assert_array_equal(estimate.T_odom_camera[3], [0, 0, 0, 1])
    for covariance in (estimate.pose_covariance, estimate.twist_covariance):
        assert np.isfinite(covariance).all()
        np.testing.assert_allclose(covariance, covariance.T, rtol=1e-9, atol=1e-12)
        eigenvalues = np.linalg.eigvalsh(covariance)
        assert eigenvalues[0] > 1e-14 * eigenvalues[-1]
        assert np.abs(covariance).max() <= 1e9
    assert len(estimate.inliers) in (len(estimate.matches), 0)
    if estimate.landmarks is not None:
        assert not np.isinf(estimate.landmarks.points()).any()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_engine(fuzz: Callable[..., None], simulator: ModuleType, adversary: ModuleType) -> None:
    def check(scenario: Scenario) -> None:
        rng = np.random.default_rng(scenario.seed)
        focal, model, distortion = scenario.lens
        K = np.array([[focal, 0, 47.5], [0, focal, 35.5], [0, 0, 1]])
        camera = Camera(96, 72, K, model, np.array(distortion))
        pose, poses = np.eye(4), []
        for _ in scenario.steps:
            poses.append(pose)
            pose = pose @ se3.exp(np.array(scenario.motion))
        world = simulator.World(
            poses, camera=camera, rig=StereoRig.rectified(camera, scenario.baseline), rng=rng, depth_noise=0.01
        )
        matcher = SpoiledMatcher(world, adversary, rng)
        config = config_of(scenario, adversary.any_settings(rng, scenario.share_of_settings), rng)
        odometry = MetricOdometry(matcher, config)
        now = 10**9
        for index, step in enumerate(scenario.steps):
            now += step.gap_ns
            frame = replace(world.frame(index), stamp_ns=now)
            matcher.spoilers = step.spoilers
            if step.order == "reset":
                odometry.reset()
            elif step.order == "stale features":
                odometry.invalidate_keyframe_features()
            elif step.order == "settings":
                changed = {k: v for k, v in adversary.any_settings(rng, 1.0).items() if adversary.is_runtime(k)}
                config = replace(config, **changed)
                odometry.reconfigure(config)
            try:
                estimate = odometry.process(adversary.spoiled_frame(frame, rng) if step.is_frame_spoiled else frame)
            except LoftrRosError:
                continue
            assert_usable(estimate, frame)

    fuzz(check, scenarios(list(adversary.SPOILERS)), quick=60)
