"""Blackout and recovery with the network itself, on rendered and on recorded images."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loftr_ros.evaluation.ate import evaluate
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import LostReason
from loftr_ros.odometry.visual_odometry import VisualOdometry

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def run(frames: Iterable[Frame], mode: Mode, dark: set[int], max_pixels: int) -> list[OdometryEstimate]:
    """Run the odometry with the checkpoint of the package; some images are black."""
    from loftr_ros.loftr.runtime.budget import ComputeBudget
    from loftr_ros.loftr.runtime.matcher import load_matcher

    odometry = VisualOdometry(load_matcher("compact", "cpu", ComputeBudget(max_pixels)), OdometryConfig(mode=mode))
    spoilt = (replace(f, image=np.zeros_like(f.image)) if i in dark else f for i, f in enumerate(frames))
    return [odometry.process(frame) for frame in spoilt]


def check(estimates: list[OdometryEstimate], dark: set[int], truth: Trajectory) -> Any:
    """Lost in the dark and only there; returns the errors of the other frames."""
    lost = {index for index, estimate in enumerate(estimates) if estimate.state.value == "lost"}
    assert lost == dark
    assert {estimates[index].lost_reason for index in dark} == {LostReason.DARK}
    variances = [np.trace(estimate.pose_covariance) for estimate in estimates]
    assert all(variances[index] > variances[index - 1] for index in dark)
    assert variances[max(dark) + 1] < variances[max(dark)]
    seen = [estimate for index, estimate in enumerate(estimates) if index not in dark]
    return evaluate(Trajectory.from_estimates(seen), truth, False)


def rendered(count: int) -> tuple[list[Frame], Trajectory]:
    """The beginning of the demo's loop through a room, small, with depth; and the truth."""
    import torch

    from loftr_ros.demo.room import loop_poses, make_room
    from loftr_ros.training.data.rendering import render

    room, poses = make_room(), loop_poses(120)[:count]
    K = torch.tensor([[200.0, 0, 159.5], [0, 200, 119.5], [0, 0, 1]])
    camera = Camera(320, 240, K.double().numpy())
    frames = []
    for index, pose in enumerate(poses):
        view = render(room.scene, room.atlas, K[None], pose[None], (240, 320))
        image = (255 * view.image[0, 0]).round().to(torch.uint8).numpy()
        frames.append(Frame(index * 10**8, image, camera, depth=view.depth[0].numpy()))
    return frames, Trajectory(10**8 * np.arange(count), poses.double().numpy())


@pytest.mark.slow
def test_a_rendered_room() -> None:
    frames, truth = rendered(14)
    dark = {6, 7, 8}
    errors = check(run(frames, "rgbd", dark, 320 * 240), dark, truth)
    assert errors.ate_percent < 1
    assert errors.rotation_mean_deg < 0.3


def test_a_recorded_corridor(recorded: Callable[[str], Path]) -> None:
    from loftr_ros.sequences.formats import open_sequence

    sequence = open_sequence(recorded("tum/tartanair_corridor"), "rgbd")
    assert sequence.ground_truth is not None
    frames = islice(sequence, 84, 110)
    dark = set(range(11, 16))
    errors = check(run(frames, "rgbd", dark, 480 * 360), dark, sequence.ground_truth)
    assert errors.ate_percent < 2


def test_a_matcher_that_sees_fewer_pixels_and_more_again() -> None:
    """LoFTR does not match across a factor of four in pixels: the keyframe is seen anew."""
    from loftr_ros.loftr.runtime.budget import ComputeBudget
    from loftr_ros.loftr.runtime.matcher import load_matcher

    frames, truth = rendered(12)
    matcher = load_matcher("compact", "cpu")
    odometry = VisualOdometry(matcher, OdometryConfig(mode="rgbd"))
    found = []
    for index, frame in enumerate(frames):
        if index % 4 == 0:
            matcher.budget = ComputeBudget(320 * 240 // (1 if index % 8 == 0 else 4))
            odometry.invalidate_keyframe_features()
        found.append(odometry.process(frame))
    assert [estimate.state.value for estimate in found[1:]] == 11 * ["tracking"]
    assert evaluate(Trajectory.from_estimates(found), truth, False).ate_percent < 1
