import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from loftr_ros.cli import main
from loftr_ros.loftr.matcher_config import Effort
from loftr_ros.odometry.trajectory import read_tum


def run(source: Path, output: Path, *options: str) -> int:
    return main(["run", str(source), "--output", str(output), "--no-progress", *options])


def report(output: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output / "run.json").read_text())
    return content


@pytest.mark.usefixtures("matcher")
def test_stereo_run_is_metric(sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 0
    trajectory = read_tum(tmp_path / "out" / "trajectory.tum")
    np.testing.assert_allclose(trajectory.positions[:, 0], 0.08 * np.arange(6), atol=0.012)
    np.testing.assert_allclose(trajectory.positions[:, 1:], 0, atol=0.012)
    assert trajectory.stamps_ns.tolist() == [0, 100_000_000, 200_000_000, 300_000_000, 400_000_000, 500_000_000]
    rows = np.loadtxt(tmp_path / "out" / "trajectory.kitti").reshape(-1, 3, 4)
    np.testing.assert_allclose(rows, trajectory.poses[:, :3], atol=1e-6)
    assert "ATE" in capsys.readouterr().out


@pytest.mark.usefixtures("matcher")
def test_rgbd_run_is_metric(sideways_rgbd: Path, tmp_path: Path) -> None:
    assert run(sideways_rgbd, tmp_path / "out", "--mode", "rgbd") == 0
    trajectory = read_tum(tmp_path / "out" / "trajectory.tum")
    np.testing.assert_allclose(trajectory.positions[:, 0], 0.08 * np.arange(6), atol=0.012)
    np.testing.assert_allclose(trajectory.positions[:, 1:], 0, atol=0.012)
    summary = report(tmp_path / "out")["summary"]
    assert summary["mode"] == "rgbd"
    assert summary["scale_known"]


@pytest.mark.usefixtures("matcher")
def test_report_says_how_it_was_made_and_what_came_out(sideways: Path, tmp_path: Path) -> None:
    run(sideways, tmp_path / "out", "--mode", "stereo")
    summary, frames = report(tmp_path / "out")["summary"], report(tmp_path / "out")["frames"]
    assert (summary["checkpoint"], summary["device"], summary["mode"]) == ("lucas-kanade", "cpu", "stereo")
    assert summary["config"]["mode"] == "stereo"
    assert {"loftr_ros", "python", "numpy", "opencv", "torch"} <= set(summary["versions"])
    assert summary["scale_known"]
    assert summary["errors"]["path_m"] == pytest.approx(0.4)
    assert summary["errors"]["ate_percent"] < 2
    assert len(frames) == summary["frames"] == summary["frames_in_source"] == 6
    assert frames[3]["stamp_ns"] == 300_000_000
    assert frames[3]["state"] == "tracking"
    assert 0 < frames[3]["inliers"] <= frames[3]["matches"]
    assert {"extract", "match", "pose"} <= set(frames[3]["milliseconds"])


def test_the_matcher_works_as_the_options_say(sideways: Path, tmp_path: Path, matcher: Any) -> None:
    options = ("--max-matches", "200", "--max-pixels", "30000", "--precision", "float32")
    assert run(sideways, tmp_path / "out", "--mode", "stereo", *options) == 0
    assert (matcher.effort, matcher.precision) == (Effort(30_000, 200), "float32")
    summary, frames = report(tmp_path / "out")["summary"], report(tmp_path / "out")["frames"]
    assert [summary[name] for name in ("max_pixels", "max_matches", "precision")] == [30_000, 200, "float32"]
    assert max(frame["matches"] for frame in frames) <= 200


@pytest.mark.usefixtures("matcher")
def test_mono_run_says_that_its_scale_is_unknown(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(sideways, tmp_path / "out", "--mode", "mono") == 0
    summary = report(tmp_path / "out")["summary"]
    assert not summary["scale_known"]
    assert summary["errors"]["scaled"]
    assert "scale unknown" in capsys.readouterr().out


@pytest.mark.usefixtures("matcher")
def test_mono_run_is_metric_by_wheels(long_way: Path, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels.tum"
    wheels.write_text("".join(f"{0.05 * i} {0.04 * i} 0 0 0 0 0 1\n" for i in range(50)))
    options = ("--mode", "mono", "--scale-source", "odometry", "--wheel-odometry", str(wheels))
    assert run(long_way, tmp_path / "out", *options) == 0
    summary = report(tmp_path / "out")["summary"]
    assert summary["scale_known"]
    assert summary["config"]["scale_source"] == "odometry"
    positions = read_tum(tmp_path / "out" / "trajectory.tum").positions
    assert positions[-1, 0] - positions[-5, 0] == pytest.approx(4 * 0.08, rel=0.05)


def test_wheels_without_a_file_are_told(sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(sideways, tmp_path / "out", "--mode", "mono", "--scale-source", "odometry") == 2
    assert "--wheel-odometry" in capsys.readouterr().err


@pytest.mark.usefixtures("matcher")
def test_run_without_ground_truth(sideways: Path, tmp_path: Path) -> None:
    (tmp_path / "poses" / "00.txt").unlink()
    assert run(sideways, tmp_path / "out", "--mode", "stereo", "--stride", "2") == 0
    assert report(tmp_path / "out")["summary"]["errors"] is None
    assert [frame["stamp_ns"] for frame in report(tmp_path / "out")["frames"]] == [0, 200_000_000, 400_000_000]


@pytest.mark.usefixtures("matcher")
def test_ground_truth_that_does_not_cover_the_run(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "poses" / "00.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n")
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 0
    assert report(tmp_path / "out")["summary"]["errors"] is None
    assert "covers fewer than two" in capsys.readouterr().out


@pytest.mark.usefixtures("matcher")
def test_picture_shows_the_estimate_and_the_truth(sideways: Path, tmp_path: Path) -> None:
    run(sideways, tmp_path / "with", "--mode", "stereo")
    (tmp_path / "poses" / "00.txt").unlink()
    run(sideways, tmp_path / "without", "--mode", "stereo")
    pictures = [cv2.imread(str(tmp_path / name / "trajectory.png")) for name in ("with", "without")]
    assert all(picture.shape[1] > 1000 for picture in pictures)
    assert not np.array_equal(*pictures)


def test_ctrl_c_keeps_what_was_computed(
    sideways: Path, tmp_path: Path, matcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames_seen = 0

    def extract(image: Any) -> Any:
        nonlocal frames_seen
        frames_seen += 1
        if frames_seen > 4:
            raise KeyboardInterrupt
        return image

    monkeypatch.setattr(matcher, "extract", extract)
    assert run(sideways, tmp_path / "out", "--mode", "mono") == 130
    assert len(read_tum(tmp_path / "out" / "trajectory.tum")) == 4
    assert report(tmp_path / "out")["summary"]["frames"] == 4


@pytest.mark.usefixtures("matcher")
def test_damaged_image_ends_the_run_with_what_was_computed(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sideways / "image_0" / "000003.png").write_bytes(b"")
    assert run(sideways, tmp_path / "out", "--mode", "mono") == 2
    assert len(read_tum(tmp_path / "out" / "trajectory.tum")) == 3
    assert "000003.png cannot be decoded" in capsys.readouterr().err
