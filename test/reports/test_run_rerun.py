"""The recording for Rerun, by its own library where it is installed, and the sentence where it is not."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState
from loftr_ros.output import OutputError
from loftr_ros.reports.observers import Outputs
from loftr_ros.reports.run_rerun import recording_rerun

CAMERA = Camera(64, 48, np.array([[50.0, 0, 31.5], [0, 50, 23.5], [0, 0, 1]]))


def frame(index: int) -> Frame:
    return Frame(10**8 * index, np.zeros((48, 64), np.uint8), CAMERA)


def estimate(index: int) -> Any:
    points = np.full((10, 2), 20, np.float32)
    T = np.eye(4)
    T[2, 3] = index
    return MagicMock(
        stamp_ns=10**8 * index, T_odom_camera=T, scale_known=True, state=TrackingState.TRACKING, remarks=("here",),
        matches=Matches(points, points, np.ones(10, np.float32), np.arange(10)), inliers=np.arange(10) < 8,
        num_matches=10, num_inliers=8, is_keyframe=False,
    )  # fmt: skip


def test_without_rerun_the_command_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(OutputError, match=r"needs the package rerun-sdk .*pip install 'loftr_ros\[rerun\]'"):
        Outputs(rerun=tmp_path / "run.rrd").check()
    with pytest.raises(OutputError, match=r"run.mp4 cannot be written: a recording of Rerun is written as .rrd"):
        Outputs(rerun=tmp_path / "run.mp4").check()


def test_each_frame_is_logged_at_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the library, which is not among the dependencies of the tests."""
    rerun = MagicMock(spec=ModuleType("rerun"))
    for name in ("RecordingStream", "ViewCoordinates", "Transform3D", "Pinhole", "EncodedImage", "Points2D", "Scalars",
                 "TextLog", "LineStrips3D"):  # fmt: skip
        setattr(rerun, name, MagicMock(name=name))
    monkeypatch.setitem(sys.modules, "rerun", rerun)
    with recording_rerun(tmp_path / "run.rrd", "drive", None) as recorder:
        for i in range(20):
            recorder.add(frame(i), estimate(i))
    stream = rerun.RecordingStream.return_value
    assert [call.kwargs["duration"] for call in stream.set_time.call_args_list] == [
        np.timedelta64(10**8 * i, "ns") for i in range(20)
    ]
    paths = [call.args[0] for call in stream.log.call_args_list]
    assert [paths.count(f"odom/camera{name}") for name in ("", "/image", "/image/matches")] == [20, 40, 20]
    lengths = [len(call.args[0][0]) for call in rerun.LineStrips3D.call_args_list]
    assert lengths[-1] == 20, "the whole path at the end"
    assert len(lengths) < 12, "not in every frame"
    stream.disconnect.assert_called_once()


def test_recording_can_be_read(tmp_path: Path) -> None:
    rerun = pytest.importorskip("rerun")
    path = tmp_path / "run.rrd"
    with recording_rerun(path, "drive", None) as recorder:
        for i in range(3):
            recorder.add(frame(i), estimate(i))
    assert rerun is not None
    content = path.read_bytes()
    assert content[:4] in (b"RRF2", b"RRIO")
    assert all(name in content for name in (b"/odom/camera/image", b"/odom/trajectory", b"stamp"))
