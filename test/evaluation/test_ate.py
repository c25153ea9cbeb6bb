import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from loftr_ros.evaluation.ate import Alignment, absolute_errors_m, align, align_to, associate, evaluate
from loftr_ros.evaluation.rpe import Statistics, relative_pose_errors
from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError, read_tum, write_tum
from loftr_ros.odometry.geometry import se3

Wandering = Callable[..., Trajectory]
MOTION = np.array([1.0, -2.0, 0.5, 0.3, 1.0, -2.0])


def noisy(truth: Trajectory, scale: float = 1.0) -> Trajectory:
    """Another start, another scale, and noise on every pose."""
    rng = np.random.default_rng(7)
    poses = np.array([se3.exp(MOTION) @ T @ se3.exp(0.03 * rng.normal(size=6)) for T in truth.poses])
    poses[:, :3, 3] *= scale
    return Trajectory(truth.stamps_ns, poses)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_align_finds_the_similarity(wandering: Wandering, scale: float) -> None:
    points = wandering().positions
    T = se3.exp(MOTION)
    found = align(points, scale * points @ T[:3, :3].T + T[:3, 3], with_scale=scale != 1.0)
    assert found.scale == pytest.approx(scale)
    np.testing.assert_allclose(found.R, T[:3, :3], atol=1e-9)
    np.testing.assert_allclose(found.t, T[:3, 3], atol=1e-9)


def test_alignment_turns_the_orientations_too(wandering: Wandering) -> None:
    truth = wandering()
    estimate = Trajectory(truth.stamps_ns, se3.exp(MOTION) @ truth.poses)
    estimate.poses[:, :3, 3] *= 0.2
    np.testing.assert_allclose(align_to(estimate, truth, "sim3").move(estimate).poses, truth.poses, atol=1e-9)


def test_alignment_at_the_origin_or_none(wandering: Wandering) -> None:
    truth = wandering()
    estimate = noisy(truth)
    at_origin = align_to(estimate, truth, "origin").move(estimate)
    np.testing.assert_allclose(at_origin.poses[0], truth.poses[0], atol=1e-9)
    assert at_origin.length == pytest.approx(estimate.length)
    np.testing.assert_array_equal(align_to(estimate, truth, "none").move(estimate).poses, estimate.poses)


def test_no_error_in_another_frame_and_scale(wandering: Wandering) -> None:
    truth = wandering()
    poses = se3.exp(np.array([1.0, 2.0, 3.0, 0.1, 0.2, 0.3])) @ truth.poses
    poses[:, :3, 3] *= 0.2
    errors = evaluate(Trajectory(truth.stamps_ns, poses), truth, with_scale=True)
    assert errors.ate_m < 1e-9
    assert errors.end_m < 1e-9
    assert errors.rotation_mean_deg < 1e-5
    assert errors.direction_median_deg < 1e-5


def test_errors_of_a_known_drift() -> None:
    """Straight ahead, 1 m a frame; the estimate turns by one degree a frame about its own position."""
    count = 11
    truth = Trajectory(np.arange(count) * 10**8, np.tile(np.eye(4), (count, 1, 1)))
    truth.poses[:, 2, 3] = np.arange(count)
    poses = truth.poses.copy()
    for index in range(count):
        poses[index, :3, :3] = se3.exp_rotation([0.0, np.radians(index), 0.0])
    errors = evaluate(Trajectory(truth.stamps_ns, poses), truth, with_scale=False)
    assert errors.path_m == pytest.approx(10.0)
    assert errors.ate_m == pytest.approx(0.0, abs=1e-9)
    assert errors.rotation_mean_deg == pytest.approx(1.0)
    assert errors.direction_median_deg == pytest.approx(4.5)


def test_a_ground_truth_at_rest_has_no_scale(wandering: Wandering) -> None:
    """The estimate would shrink to a point, and have no error whatever its shape."""
    estimate = wandering()
    still = Trajectory(estimate.stamps_ns, np.tile(np.eye(4), (len(estimate), 1, 1)))
    with pytest.raises(TrajectoryError, match="does not move, so it has no scale"):
        evaluate(estimate, still, with_scale=True)
    assert evaluate(estimate, still, with_scale=False).ate_m > 0.1


def test_end_error_in_percent(wandering: Wandering) -> None:
    truth = wandering()
    poses = truth.poses.copy()
    poses[-1, :3, 3] += [0.0, 0.3, 0.0]
    errors = evaluate(Trajectory(truth.stamps_ns, poses), truth, with_scale=False)
    assert errors.end_m == pytest.approx(0.3)
    assert errors.end_percent == pytest.approx(100 * 0.3 / truth.length)


def test_stamps_are_paired_with_the_nearest(wandering: Wandering) -> None:
    truth = wandering()
    late = Trajectory(truth.stamps_ns[3:9] + 4_000_000, truth.poses[3:9])
    estimate, paired = associate(late, truth)
    assert len(estimate) == 6
    np.testing.assert_array_equal(paired.stamps_ns, truth.stamps_ns[3:9])


def test_other_clocks_are_refused(wandering: Wandering) -> None:
    truth = wandering()
    with pytest.raises(TrajectoryError, match="clock"):
        associate(Trajectory(truth.stamps_ns + 10**12, truth.poses), truth)


@pytest.fixture
def evo(tmp_path: Path) -> Callable[..., Statistics]:
    """Run a program of evo, which is licensed under the GPL and therefore never imported, on two files."""
    programs = Path(sys.executable).parent

    def run(program: str, truth: Path, estimate: Path, *options: str) -> Statistics:
        if not (programs / program).exists():
            pytest.skip(f"{program} is not in {programs}: pip install evo")
        # Its settings go to the home folder; the fonts that matplotlib has found stay where they are.
        environment = {**os.environ, "HOME": str(tmp_path), "MPLCONFIGDIR": mpl.get_cachedir()}
        results = tmp_path / f"{program}{''.join(options)}.zip"
        command = [str(programs / program), "tum", str(truth), str(estimate), *options, "--save_results", str(results)]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
        with zipfile.ZipFile(results) as file:
            figures = json.loads(file.read("stats.json"))
        return Statistics(*(figures[name] for name in ("rmse", "mean", "median", "max")))

    return run


@pytest.mark.parametrize(("alignment", "options"), [("se3", "-a"), ("sim3", "-as"), ("origin", "--align_origin")])
def test_figures_are_those_of_evo(
    wandering: Wandering, evo: Callable[..., Statistics], tmp_path: Path, alignment: Alignment, options: str
) -> None:
    files = tmp_path / "truth.tum", tmp_path / "estimate.tum"
    made = wandering(count=60)
    write_tum(files[0], made)
    write_tum(files[1], noisy(made, scale=0.4))
    truth, estimate = map(read_tum, files)
    estimate = align_to(estimate, truth, alignment).move(estimate)
    ate = evo("evo_ape", *files, options)
    assert asdict(Statistics.of(absolute_errors_m(estimate, truth))) == pytest.approx(asdict(ate), abs=1e-6)
    if alignment == "sim3":
        rpe = relative_pose_errors(estimate, truth, delta=3)
        every = ("-d", "3", "-u", "f", "--all_pairs")
        translation = evo("evo_rpe", *files, options, *every, "-r", "trans_part")
        rotation = evo("evo_rpe", *files, options, *every, "-r", "angle_deg")
        assert asdict(rpe.translation_m) == pytest.approx(asdict(translation), abs=1e-6)
        assert asdict(rpe.rotation_deg) == pytest.approx(asdict(rotation), abs=1e-6)
