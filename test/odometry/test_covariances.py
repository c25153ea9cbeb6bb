"""Every published covariance is one: symmetric and positive definite with a margin, whatever the matches are.

In every state, of pose and velocity, in the camera's frame and in that of a base far from it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.visual_odometry import VisualOdometry
from loftr_ros.ros.transforms.frames import base_motion, bounded, camera_in_base

Array = NDArray[np.float64]
MODES: tuple[Mode, ...] = ("mono", "stereo", "rgbd")
MOUNTINGS = [
    camera_in_base(*mounting) for mounting in ((0.2, 0, 0.4, 0, 0.3, 0.1), (-80.0, 50.0, 90.0, 2.0, 1.0, -3.0))
]
# The least eigenvalue as a share of the largest: far above the 2e-16 that a double resolves.
MARGIN = 1e-13


def assert_covariances(estimate: OdometryEstimate) -> None:
    found = [estimate.pose_covariance, estimate.twist_covariance]
    for mounting in MOUNTINGS:
        base = base_motion(estimate, mounting, 1e-9)
        found += [base.pose_covariance, base.twist_covariance]
    for covariance in found:
        assert np.isfinite(covariance).all()
        assert np.abs(covariance).max() <= 1e9
        np.testing.assert_array_equal(covariance, covariance.T)
        eigenvalues = np.linalg.eigvalsh(covariance)
        assert eigenvalues[0] > MARGIN * eigenvalues[-1]
        np.linalg.cholesky(covariance)  # as filters do


@pytest.mark.parametrize(
    ("size", "start"), [((160, 120), 0), ((240, 72), 10), ((429, 129), 24), ((640, 193), 35)], ids=str
)
@pytest.mark.usefixtures("one_torch_thread")
def test_of_a_drive_at_every_size(recorded: Callable[[str], Path], size: tuple[int, int], start: int) -> None:
    """At frames 34 and 35 of the third the robust factor of the covariance is below 1."""
    from loftr_ros.loftr.runtime.budget import ComputeBudget
    from loftr_ros.loftr.runtime.matcher import load_matcher
    from loftr_ros.sequences.formats import open_sequence

    sequence = open_sequence(recorded("kitti/sequences/06"), "stereo")
    assert sequence.rig is not None
    camera = sequence.camera.scaled(*size)
    rig = StereoRig.rectified(camera, sequence.rig.baseline)
    odometry = VisualOdometry(load_matcher("compact", "cpu", ComputeBudget(30_000, 0)), OdometryConfig(mode="stereo"))
    for index in range(start, start + 14):
        frame = sequence[index]
        assert frame.right is not None
        left, right = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (frame.image, frame.right))
        assert_covariances(odometry.process(Frame(frame.stamp_ns, left, camera, right, None, rig)))


class Hostile:
    """Matches that spoil those of a simulated world, of another kind in each frame; all of them are finite."""

    def __init__(self, world: Any, seed: int) -> None:
        """Draw what happens from `seed`."""
        self._world, self._rng = world, np.random.default_rng(seed)

    def extract(self, image: NDArray[np.uint8]) -> Any:
        """As the world does."""
        return self._world.extract(image)

    def match(self, features_a: Any, features_b: Any) -> Matches:
        """Spoil one match in two, or all of them."""
        matches = self._world.match(features_a, features_b)
        if not len(matches):
            return matches
        rng, count = self._rng, len(matches)
        chosen = rng.random(count) < rng.choice([0.0, 0.3, 1.0])
        spoilt = rng.choice([self._at_one_place, self._on_a_line, self._far_away, self._anywhere])(matches.points_b)
        b = np.where(chosen[:, None], spoilt, matches.points_b).astype(np.float32)
        covariance_b = None
        if rng.random() < 0.5:
            size = 10.0 ** rng.uniform(-6, 6, (count, 1, 1))
            covariance_b = size * (np.eye(2) + rng.uniform(-0.99, 0.99, (count, 1, 1)) * (1 - np.eye(2)))
        some = rng.random(count) < rng.choice([0.03, 0.3, 1.0])
        return Matches(matches.points_a, b, matches.confidence, matches.cell_a, covariance_b).select(some)

    def _at_one_place(self, points: Array) -> Array:
        return np.zeros_like(points) + points.mean(axis=0)

    def _on_a_line(self, points: Array) -> Array:
        return points * (1.0, 0.0) + (0.0, 120.0)

    def _far_away(self, points: Array) -> Array:
        return points * 10.0 ** self._rng.uniform(0, 4)

    def _anywhere(self, points: Array) -> Array:
        return self._rng.uniform(-500, 500, points.shape)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_of_hostile_matches(make_world: Callable[..., Any], curve: Callable[..., list[Array]], mode: Mode) -> None:
    states = set()
    for seed in range(12):
        world = make_world(curve(14), rng=np.random.default_rng(seed), depth_images=mode == "rgbd")
        odometry = VisualOdometry(
            Hostile(world, seed), OdometryConfig(mode=mode, subpixel_refinement=False, min_inliers=8)
        )
        for frame in world.frames():
            estimate = odometry.process(frame)
            assert_covariances(estimate)
            states.add(estimate.state.value)
    assert {"lost", "tracking"} <= states


@pytest.mark.parametrize("seed", range(20))
def test_of_a_step_between_poses_that_claim_more_in_common_than_they_err(seed: int) -> None:
    """Common errors larger than the covariances that they are part of: nothing is subtracted that was not there."""
    rng = np.random.default_rng(seed)
    A, B = se3.exp(rng.normal(size=6)), se3.exp(rng.normal(size=6))
    gains = rng.normal(size=(2, 40, 6))
    small = np.diag(10.0 ** rng.uniform(-8, -2, 6))
    step = se3.step_covariance(A, small, B, small, *gains)
    assert np.linalg.eigvalsh(step)[0] > 0


@pytest.mark.parametrize("size", [1e-20, 1e-8, 1.0, 1e8, 1e12])
def test_rounding_leaves_a_margin(size: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        thin = rng.normal(size=(6, 2))
        covariance = se3.well_conditioned(size * thin @ thin.T)
        turn = np.kron(np.eye(2), se3.exp_rotation(rng.normal(size=3)))
        assert np.linalg.eigvalsh(se3.symmetric(turn @ covariance @ turn.T))[0] > 0


def test_the_margin_does_not_exceed_what_consumers_take() -> None:
    """Nav2 refuses a message with any variance above 1e9, by however little."""
    rng = np.random.default_rng(2)
    for _ in range(200):
        thin = rng.normal(size=(6, 2)) * 10.0 ** rng.uniform(-3, 7, (6, 1))
        covariance = bounded(thin @ thin.T, 1e-9)
        assert np.abs(covariance).max() <= 1e9
        assert np.linalg.eigvalsh(covariance)[0] > 0


def test_a_covariance_with_a_margin_is_left_alone() -> None:
    covariance = np.diag([1e-8, 1e-8, 1e-8, 1e-10, 1e-10, 1e-10])
    assert se3.well_conditioned(covariance) is covariance
