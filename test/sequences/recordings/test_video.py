"""Video files by OpenCV."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from loftr_ros import open_sequence
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.formats import layout_of

WIDTH, HEIGHT, FRAMES = 64, 48, 12


@pytest.fixture
def video(tmp_path: Path, write_calibration: Callable[..., None]) -> Path:
    """Twelve frames at 20 Hz whose gray level is 20 i, with a calibration beside the file."""
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for i in range(FRAMES):
        writer.write(np.full((HEIGHT, WIDTH, 3), 20 * i, np.uint8))
    writer.release()
    write_calibration(tmp_path / "camera.yaml")
    return path


def test_frames_and_times(video: Path) -> None:
    assert layout_of(video) == "video"
    sequence = open_sequence(video)
    assert [entry.stamp_ns for entry in sequence.entries] == [50_000_000 * i for i in range(FRAMES)]
    levels = [frame.image.mean() for frame in sequence]
    np.testing.assert_allclose(levels, [20 * i for i in range(FRAMES)], atol=2)
    assert "12 frames, 20 frames per second" in sequence.notes
    for i in (3, 1, 11, 0, 0):
        assert sequence[i].image.mean() == pytest.approx(levels[i], abs=1e-9)
    assert [frame.image.mean() for frame in sequence.every(2)] == levels[::2]


def test_rate_and_calibration_that_are_given(video: Path, write_calibration: Callable[..., None]) -> None:
    write_calibration(video.parent / "other.yaml", camera_matrix={"data": [60.0, 0, 31, 0, 60, 23, 0, 0, 1]})
    sequence = open_sequence(video, fps=10, camera=[video.parent / "other.yaml"])
    assert [entry.stamp_ns for entry in sequence.entries] == [100_000_000 * i for i in range(FRAMES)]
    assert sequence.camera.K[0, 0] == 60
    write_calibration(video.with_suffix(".yaml"), camera_matrix={"data": [70.0, 0, 31, 0, 70, 23, 0, 0, 1]})
    assert open_sequence(video).camera.K[0, 0] == 70


def test_faults(video: Path) -> None:
    for mode in ("stereo", "rgbd"):
        with pytest.raises(MissingSensorError, match=r"drive.avi is a video, which has one camera; use mode mono"):
            open_sequence(video, mode)
    with pytest.raises(SequenceError, match=r"drive.avi is no bag of ROS, so it has no topics: remove --topics"):
        open_sequence(video, topics={"image": "/a"})
    whole = video.read_bytes()
    for content in (b"", whole[:50], whole[: len(whole) // 100], b"x" * 5000):
        video.write_bytes(content)
        with pytest.raises(SequenceError, match=r"drive.avi (cannot be decoded as a video|has no frames)"):
            open_sequence(video)
    video.write_bytes(whole[: len(whole) * 9 // 10])
    assert any(re.search(r"tells 12 frames, but \d can be decoded", note) for note in open_sequence(video).notes)
    (video.parent / "camera.yaml").unlink()
    with pytest.raises(SequenceError, match=r"drive.avi has no calibration: put a camera.yaml.*--camera FILE"):
        open_sequence(video)


def test_file_without_frames(video: Path) -> None:
    cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (WIDTH, HEIGHT)).release()
    with pytest.raises(SequenceError, match=r"drive.avi (cannot be decoded as a video|has no frames)"):
        open_sequence(video)
