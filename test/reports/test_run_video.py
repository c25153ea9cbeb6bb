"""The video and the window of a run, and the growing trajectory in them."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.matches import Matches
from loftr_ros.odometry.states import TrackingState
from loftr_ros.output import OutputError
from loftr_ros.reports import run_window
from loftr_ros.reports.observers import Outputs, observing
from loftr_ros.reports.run_picture import RunPicture
from loftr_ros.reports.run_video import frame_rate, recording_video
from loftr_ros.reports.trajectory_map import TrajectoryMap

STEP_NS = 100_000_000
BLUE, ORANGE = np.array([178, 114, 0]), np.array([92, 178, 242])


def estimate(index: int, metric: bool = True, scale: float = 1.0) -> Any:
    """Along a straight line forward and to the right."""
    T = np.eye(4)
    T[:3, 3] = [0.5 * index * scale, 0, index * scale]
    points = np.full((10, 2), 20, np.float32)
    return SimpleNamespace(
        stamp_ns=STEP_NS * index, T_odom_camera=T, scale_known=metric, state=TrackingState.TRACKING,
        matches=Matches(points, points, np.ones(10, np.float32), np.arange(10)), inliers=np.ones(10, bool),
        num_matches=10, num_inliers=10, remarks=(), parallax_px=1.0, reference=None,
    )  # fmt: skip


def frame(index: int) -> Any:
    return SimpleNamespace(image=np.full((240, 320), 10 * index, np.uint8))


def truth(count: int, T_world_odom: NDArray[np.float64]) -> Trajectory:
    poses = np.array([T_world_odom @ estimate(i).T_odom_camera for i in range(count)])
    return Trajectory(STEP_NS * np.arange(count), poses)


def pixels(picture: NDArray[np.uint8], color: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.argwhere((np.abs(picture.astype(int) - color) < 30).all(axis=2))


def drawn(count: int, true: Trajectory | None, metric: bool = True, scale: float = 1.0) -> NDArray[np.uint8]:
    trajectory_map = TrajectoryMap(true)
    for i in range(count):
        trajectory_map.add(estimate(i, metric, scale))
    return trajectory_map.draw(400, 400)


def test_path_leads_forward_and_to_the_right() -> None:
    path = pixels(drawn(10, None)[:350], BLUE)
    top, bottom = path[path[:, 0].argmin()], path[path[:, 0].argmax()]
    assert top[1] - bottom[1] == pytest.approx(0.5 * (bottom[0] - top[0]), abs=12)
    assert bottom[0] - top[0] > 200, "it fills the map"


@pytest.mark.parametrize(("metric", "scale"), [(True, 1.0), (False, 0.2)])
def test_ground_truth_lies_below_the_path_in_any_frame_and_unit(metric: bool, scale: float) -> None:
    T_world_odom = np.array([[0, -1.0, 0, 7], [1, 0, 0, -3], [0, 0, 1, 100], [0, 0, 0, 1]])
    picture = drawn(10, truth(30, T_world_odom), metric, scale)
    under, path = (pixels(picture[:350], color) for color in (ORANGE, BLUE))
    assert len(under) > 200
    for corner in (np.min, np.max):
        np.testing.assert_allclose(corner(under, axis=0), corner(path, axis=0), atol=14)


def test_ground_truth_of_another_time_is_left_out() -> None:
    late = truth(10, np.eye(4))
    picture = drawn(10, Trajectory(late.stamps_ns + 10**12, late.poses))
    assert len(pixels(picture, ORANGE)) == 0


def test_video_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run.mp4"
    picture = RunPicture(None, "calibration guessed from a field of view of 70°")
    with recording_video(path, 10.0) as video:
        for i in range(5):
            video.add(picture.draw(frame(i), estimate(i)))
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == 10
    frames = []
    while (found := capture.read())[0]:
        frames.append(found[1])
    assert len(frames) == 5
    height, width = frames[0].shape[:2]
    assert (width % 2, height % 2) == (0, 0)
    grown = [len(pixels(one[:, -height:], BLUE)) for one in frames]
    assert grown[4] > grown[1]
    assert frames[4][height // 2, 10].mean() > frames[1][height // 2, 10].mean(), "the images follow each other"


def test_video_of_an_interrupted_run_is_kept(tmp_path: Path) -> None:
    def interrupted() -> None:
        with recording_video(tmp_path / "run.avi", 10.0) as video:
            video.add(RunPicture(None).draw(frame(0), estimate(0)))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert cv2.VideoCapture(str(tmp_path / "run.avi")).read()[0]


def test_what_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"run.gif cannot be written: a video is written as .mp4 or .avi"):
        Outputs(video=tmp_path / "run.gif").check()
    (tmp_path / "folder.mp4").mkdir()
    with (
        pytest.raises(OutputError, match=r"folder.mp4 cannot be written: Is a directory"),
        recording_video(tmp_path / "folder.mp4", 10.0),
    ):
        pass
    os.mkfifo(tmp_path / "pipe.mp4")
    with (
        pytest.raises(OutputError, match=r"pipe.mp4 cannot be written: it is a pipe"),
        recording_video(tmp_path / "pipe.mp4", 10.0),
    ):
        pass
    with recording_video(tmp_path / "empty.mp4", 10.0):
        pass
    assert not (tmp_path / "empty.mp4").exists()


def test_frames_that_are_missing_are_told(tmp_path: Path) -> None:
    path = tmp_path / "run.mp4"
    with recording_video(path, 10.0) as video:
        for i in range(20):
            video.add(RunPicture(None).draw(frame(i), estimate(i)))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(OutputError, match=r"run.mp4 has 0 of 20 frames: is the disk full"):
        video.check()


def test_rate_is_that_of_most_frames() -> None:
    assert frame_rate([0, STEP_NS, 2 * STEP_NS, 9 * STEP_NS]) == 10
    assert frame_rate([0, 1000, 2000]) == 60
    assert frame_rate([0]) == 30


def test_without_a_display_one_sentence_names_the_video(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert run_window.open_window() == "no window, as there is no display; --video FILE.mp4 writes the same pictures"


def test_opencv_without_windows_and_no_tk_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")  # not there: both toolkits fail, as without windows
    said = run_window.open_window()
    assert isinstance(said, str)
    assert "python3-tk" in said
    assert "--video" in said


def test_run_goes_on_when_the_window_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    window = SimpleNamespace(show=lambda picture: shown.append(picture) or len(shown) < 2, close=lambda: None)
    monkeypatch.setattr("loftr_ros.reports.observers.open_window", lambda: window)
    said: list[str] = []
    sequence: Any = SimpleNamespace(ground_truth=None, calibration_guess="", entries=())
    with observing(Outputs(view=True), sequence, said.append) as observers:
        for i in range(4):
            for observe in observers:
                observe(frame(i), estimate(i))
    assert len(shown) == 2
    assert said == ["the window was closed; the run goes on"]
