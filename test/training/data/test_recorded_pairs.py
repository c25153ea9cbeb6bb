"""Pairs from a sequence with depth and poses."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.recorded_pairs import RecordedPairs, RecordedPairsError, interpolated
from loftr_ros.training.data.scenes import ViewPair
from loftr_ros.training.data.source_config import RecordedConfig

CPU = torch.device("cpu")


def opened(folder: Path, max_gap: int = 3) -> RecordedPairs:
    return RecordedPairs.open(RecordedConfig(folder=str(folder), max_gap=max_gap))


def test_images_agree_with_the_ground_truth(recorded_room: Path, unexplained: Callable[[ViewPair], float]) -> None:
    assert unexplained(opened(recorded_room).draw(Draw(0, CPU), 16, (64, 80))) < 0.15


def test_poses_are_those_of_the_images(recorded_room: Path) -> None:
    source = opened(recorded_room)
    assert source.poses[:, 0, 3] == pytest.approx(0.05 * np.arange(8), abs=1e-4)
    assert np.arcsin(source.poses[:, 0, 2]) == pytest.approx(0.01 * np.arange(8), abs=1e-4)


def test_gaps_and_both_directions(recorded_room: Path) -> None:
    """The camera moves by 5 cm a frame."""
    T_b_a = opened(recorded_room).draw(Draw(0, CPU), 60, (64, 64)).T_b_a
    frames = (T_b_a[:, :3, 3].norm(dim=1) / 0.05).round().int() * T_b_a[:, 0, 3].sign().int()
    assert set(frames.tolist()) == {-3, -2, -1, 1, 2, 3}


def test_images_without_pose_are_left_out(recorded_room: Path) -> None:
    truth = recorded_room / "groundtruth.txt"
    truth.write_text("\n".join(truth.read_text().splitlines()[4:]))  # the first pose is at 0.175 s
    source = opened(recorded_room)
    assert [entry.image.stem for entry in source.sequence.entries] == ["2", "3", "4", "5", "6", "7"]
    assert source.poses[0, 0, 3] == pytest.approx(0.1, abs=1e-4)


def test_distorted_images_are_straightened(recorded_room: Path, unexplained: Callable[[ViewPair], float]) -> None:
    """Images and depths are bent by a strong lens; the pairs must agree as without it."""
    K, distortion = np.array([[70.0, 0, 39.5], [0, 70.0, 31.5], [0, 0, 1]]), np.array([-0.3, 0.1, 0, 0, 0])
    grid = np.stack(np.meshgrid(np.arange(80.0), np.arange(64.0)), axis=-1).reshape(-1, 1, 2)
    straight = cv2.undistortPoints(grid, K, distortion, P=K).reshape(64, 80, 2).astype(np.float32)
    for path in [*recorded_room.glob("rgb/*.png"), *recorded_room.glob("depth/*.png")]:
        smooth = cv2.INTER_LINEAR if path.parent.name == "rgb" else cv2.INTER_NEAREST
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert cv2.imwrite(str(path), cv2.remap(image, straight, None, smooth))
    as_if_straight = unexplained(opened(recorded_room).draw(Draw(0, CPU), 16, (64, 80)))
    calibration = recorded_room / "camera.yaml"
    calibration.write_text(calibration.read_text().replace("[0, 0, 0, 0, 0]", str(distortion.tolist())))
    assert unexplained(opened(recorded_room).draw(Draw(0, CPU), 16, (64, 80))) < min(0.2, as_if_straight)


def test_interpolated_poses() -> None:
    """Half-way between two poses 60 ms apart, 20 ms from one of two that are 300 ms apart, and too far from both."""
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = (0, 6, 36)
    truth = Trajectory(np.array([0, 60, 360]) * 10**6, poses)
    known, found = interpolated(truth, np.array([-1, 0, 30, 80, 200, 340, 360, 361]) * 10**6)
    assert known.tolist() == [False, True, True, True, False, True, True, False]
    assert found[:, 0, 3] == pytest.approx([0, 3, 8, 34, 36])


def test_what_cannot_be_used(recorded_room: Path, tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match="nowhere"):
        opened(tmp_path / "nowhere")
    with pytest.raises(RecordedPairsError, match="8 images with depth and pose: too few for a max_gap of 8"):
        opened(recorded_room, max_gap=8)
    truth = recorded_room / "groundtruth.txt"
    truth.write_text("\n".join(reversed(truth.read_text().splitlines())))
    with pytest.raises(RecordedPairsError, match="order of time"):
        opened(recorded_room)
    truth.unlink()
    with pytest.raises(RecordedPairsError, match="no ground truth"):
        opened(recorded_room)


@pytest.mark.parametrize(("name", "gap"), [("tum/fr1_desk", 3), ("tum/tartanair_corridor", 10)])
def test_recorded_data(
    recorded: Callable[[str], Path], unexplained: Callable[[ViewPair], float], name: str, gap: int
) -> None:
    """Real and simulated sequences: their images agree with their ground truth far better than by chance."""
    source = opened(recorded(name), gap)
    assert unexplained(source.draw(Draw(0, CPU), 4, (240, 320))) < 0.5
