from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.odometry import se3
from loftr_ros.odometry.evaluation import align, associate, evaluate
from loftr_ros.odometry.trajectory import Trajectory, TrajectoryError, read_kitti, read_tum, write_kitti, write_tum

# Nanoseconds that a float64 of seconds cannot hold.
START = 1_403_715_273_262_142_976


def wandering(count: int = 20, seed: int = 0) -> Trajectory:
    rng = np.random.default_rng(seed)
    poses: list[NDArray[np.float64]] = [np.eye(4)]
    for _ in range(count - 1):
        poses.append(poses[-1] @ se3.exp(rng.normal(size=6) * [0.1, 0.1, 0.5, 0.1, 0.1, 0.1]))
    return Trajectory(START + 100_000_000 * np.arange(count, dtype=np.int64), np.array(poses))


def test_tum_file_is_read_back(tmp_path: Path) -> None:
    trajectory = wandering()
    write_tum(tmp_path / "t.tum", trajectory)
    assert (tmp_path / "t.tum").read_text().startswith("1403715273.262142976 ")
    back = read_tum(tmp_path / "t.tum")
    np.testing.assert_allclose(back.poses, trajectory.poses, atol=1e-8)
    assert np.abs(back.stamps_ns - trajectory.stamps_ns).max() < 1000


def test_kitti_file_is_read_back(tmp_path: Path) -> None:
    trajectory = wandering()
    write_kitti(tmp_path / "t.txt", trajectory)
    back = read_kitti(tmp_path / "t.txt", trajectory.stamps_ns)
    np.testing.assert_allclose(back.poses, trajectory.poses, atol=1e-8)


@pytest.mark.parametrize("text", ["", "1 2 3\n", "a b c d e f g h\n", "0 0 0 0 0 0 0 0\n", "0 nan 0 0 0 0 0 1\n"])
@pytest.mark.filterwarnings("ignore:.*input contained no data")
def test_a_file_that_is_no_trajectory(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.tum").write_text(text)
    with pytest.raises(TrajectoryError, match=r"t\.tum"):
        read_tum(tmp_path / "t.tum")


def test_too_few_stamps(tmp_path: Path) -> None:
    write_kitti(tmp_path / "t.txt", wandering())
    with pytest.raises(TrajectoryError, match="20 poses"):
        read_kitti(tmp_path / "t.txt", np.arange(3))


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_align_finds_the_similarity(scale: float) -> None:
    points = wandering().positions
    T = se3.exp(np.array([1.0, -2.0, 0.5, 0.3, 1.0, -2.0]))
    found = align(points, scale * points @ T[:3, :3].T + T[:3, 3], with_scale=scale != 1.0)
    assert found.scale == pytest.approx(scale)
    np.testing.assert_allclose(found.R, T[:3, :3], atol=1e-9)
    np.testing.assert_allclose(found.t, T[:3, 3], atol=1e-9)


def test_no_error_in_another_frame_and_scale() -> None:
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


def test_end_error_in_percent() -> None:
    truth = wandering()
    poses = truth.poses.copy()
    poses[-1, :3, 3] += [0.0, 0.3, 0.0]
    errors = evaluate(Trajectory(truth.stamps_ns, poses), truth, with_scale=False)
    assert errors.end_m == pytest.approx(0.3)
    assert errors.end_percent == pytest.approx(100 * 0.3 / truth.length)


def test_stamps_are_paired_with_the_nearest() -> None:
    truth = wandering()
    late = Trajectory(truth.stamps_ns[3:9] + 4_000_000, truth.poses[3:9])
    estimate, paired = associate(late, truth)
    assert len(estimate) == 6
    np.testing.assert_array_equal(paired.stamps_ns, truth.stamps_ns[3:9])


def test_other_clocks_are_refused() -> None:
    truth = wandering()
    with pytest.raises(TrajectoryError, match="clock"):
        associate(Trajectory(truth.stamps_ns + 10**12, truth.poses), truth)
