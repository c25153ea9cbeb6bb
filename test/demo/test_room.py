"""The rendered loop of the demo."""

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from loftr_ros.demo.room import BASELINE, HALF_ROOM, LOOP, RATE, loop_poses, write_sequence
from loftr_ros.sequences.formats import open_sequence


def test_the_loop_ends_where_it_began() -> None:
    poses = loop_poses(200).numpy()
    np.testing.assert_allclose(poses[0], poses[-1], atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(poses[:, :3, :3]), 1, atol=1e-5)
    assert (np.abs(poses[:, :3, 3]).max(axis=0) < HALF_ROOM).all()
    assert np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1).sum() > 2 * np.pi * min(LOOP)


def test_the_camera_looks_where_it_goes() -> None:
    poses = loop_poses(400).numpy()
    steps = np.diff(poses[:, :3, 3], axis=0)
    forward = poses[:-1, :3, 2]
    cosine = (steps * forward).sum(axis=1) / np.linalg.norm(steps, axis=1)
    assert np.degrees(np.arccos(cosine)).max() < 12


def test_the_sequence_is_read_as_it_was_rendered(tmp_path: Path) -> None:
    rendered = []
    folder = write_sequence(tmp_path, 3, lambda: rendered.append(1))
    sequence = open_sequence(folder, "stereo")
    assert len(rendered) == len(sequence) == 3
    assert sequence.rig is not None
    np.testing.assert_allclose(sequence.rig.baseline, BASELINE, rtol=1e-6)
    frames = list(sequence)
    assert [frame.stamp_ns for frame in frames] == [round(index / RATE * 1e9) for index in range(3)]
    assert frames[0].right is not None
    assert frames[0].image.std() > 20
    assert np.abs(frames[0].image.astype(int) - frames[0].right).mean() > 3  # another view
    truth = sequence.ground_truth
    assert truth is not None
    expected = torch.linalg.inv(loop_poses(3)[0]) @ loop_poses(3)
    np.testing.assert_allclose(truth.poses, expected.numpy(), atol=1e-5)
    assert Rotation.from_matrix(truth.poses[1, :3, :3]).magnitude() > 1  # half the loop
