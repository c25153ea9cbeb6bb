import json
import os
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from loftr_ros.cli import main
from loftr_ros.evaluation.trajectory import read_tum
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.reports.run_log import RESULT_FILES


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
def test_an_unlikely_calibration_is_warned_about_once(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(sideways, tmp_path / "out", "--mode", "stereo")
    assert "warning" not in capsys.readouterr().err
    assert report(tmp_path / "out")["summary"]["calibration_warnings"] == []
    scaled_to_centimeters(sideways / "calib.txt")
    run(sideways, tmp_path / "out", "--mode", "stereo")
    (warning,) = report(tmp_path / "out")["summary"]["calibration_warnings"]
    assert "the stereo baseline is 30 m" in warning
    assert capsys.readouterr().err.count(f"loftr-ros: warning: {warning}\n") == 1


def scaled_to_centimeters(path: Path) -> None:
    """Write the baseline of a KITTI calibration in centimeters."""
    P = np.array([row.split()[1:] for row in path.read_text().splitlines()], np.float64)
    P[:, 3] *= 100
    path.write_text("".join(f"P{i}: {' '.join(map(str, row))}\n" for i, row in enumerate(P.tolist())))


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
    assert (matcher.budget, matcher.precision) == (ComputeBudget(30_000, 200), "float32")
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
def test_frames_that_are_less_accurate_are_counted(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remarks = property(lambda estimate: ("ambiguous direction",) if estimate.num_matches else ())
    monkeypatch.setattr(OdometryEstimate, "remarks", remarks)
    assert run(sideways, tmp_path / "out", "--mode", "mono") == 0
    count = report(tmp_path / "out")["summary"]["remarks"]["ambiguous direction"]
    assert count > 1
    assert f"{count} ambiguous direction, see run.json" in capsys.readouterr().out


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_run_after_the_frame(
    sideways: Path,
    tmp_path: Path,
    matcher: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    live, frames_seen = tmp_path / "out" / "trajectory.live.tum", 0

    def extract(image: Any) -> Any:
        nonlocal frames_seen
        frames_seen += 1
        if frames_seen == 4:
            assert len(read_tum(live)) == 3, "what remains if the process is killed here"
            os.kill(os.getpid(), number)
        return image

    monkeypatch.setattr(matcher, "extract", extract)
    assert run(sideways, tmp_path / "out", "--mode", "mono") == 128 + number
    assert len(read_tum(tmp_path / "out" / "trajectory.tum")) == report(tmp_path / "out")["summary"]["frames"] == 4
    assert "interrupted after 4 of 6 frames" in capsys.readouterr().err
    assert not live.exists()


TRUTH = [f"{0.1 * i:.1f} {0.08 * i} 0 0 0 0 0 1" for i in range(6)]
BAD_TRUTH = {
    "zero quaternion": ([*TRUTH[:2], "0.2 0 0 0 0 0 0 0", *TRUTH[3:]], "pose 3 has a quaternion of zero length"),
    "NaN": ([*TRUTH[:4], "0.4 nan 0 0 0 0 0 1", *TRUTH[5:]], "row 5 holds a number that is not finite"),
    "doubled stamp": ([*TRUTH[:3], *TRUTH[2:]], "stamp 4 is not after the previous one"),
    "unsorted": ([TRUTH[1], TRUTH[0], *TRUTH[2:]], "stamp 2 is not after the previous one"),
    "no numbers": (["once upon a time there was"], "could not convert string 'once'"),
    "far away": ([*TRUTH[:5], "0.5 1e300 0 0 0 0 0 1"], "pose 6 holds no position"),
    "nanoseconds": ([f"{1403715273262142976 + i} 0 0 0 0 0 0 1" for i in range(6)], "looks like nanoseconds"),
}


@pytest.mark.usefixtures("matcher")
@pytest.mark.parametrize("fault", BAD_TRUTH)
def test_ground_truth_never_stops_a_run(
    sideways_rgbd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    rows, reason = BAD_TRUTH[fault]
    (sideways_rgbd / "groundtruth.txt").write_text("\n".join(rows))
    assert run(sideways_rgbd, tmp_path / "out", "--mode", "rgbd") == 0
    assert len(read_tum(tmp_path / "out" / "trajectory.tum")) == 6
    summary = report(tmp_path / "out")["summary"]
    assert summary["errors"] is None
    assert reason in summary["ground_truth_fault"]
    assert not (tmp_path / "out" / "groundtruth.tum").exists()
    said = capsys.readouterr()
    (warning,) = [line for line in said.err.splitlines() if line.startswith("loftr-ros: warning: ")]
    assert "groundtruth.txt" in warning
    assert reason in warning
    assert "the ground truth cannot be used" in said.out


@pytest.mark.usefixtures("matcher")
def test_a_run_without_a_pose_says_why(sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four frames are black, and two that follow each other show nothing in common."""
    rng = np.random.default_rng(3)
    for i in range(6):
        image = np.zeros((200, 320), np.uint8) if i < 4 else rng.integers(0, 255, (200, 320), np.uint8)
        cv2.imwrite(str(sideways / "image_0" / f"{i:06d}.png"), image)
    assert run(sideways, tmp_path / "out", "--mode", "mono") == 1
    said = capsys.readouterr()
    (error,) = said.err.strip().splitlines()
    assert said.out.startswith("KITTI 00 (KITTI odometry), mono: 6 frames of 320x200 in 0.5 s, with ground truth\n")
    assert "No pose was measured in 6 frames: 4 of them are lost with the reason 'image too dark'" in error
    assert report(tmp_path / "out")["summary"]["lost"]["image too dark"] == 4
    assert (tmp_path / "out" / "trajectory.tum").is_file()


@pytest.mark.usefixtures("matcher")
def test_one_frame_is_no_motion(sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(sideways, tmp_path / "out", "--mode", "stereo", "--stride", "10") == 1
    assert "a motion requires two frames" in capsys.readouterr().err


@pytest.mark.usefixtures("matcher")
def test_lost_frames_are_counted_by_reason(sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i, gray in ((2, 0), (3, 0), (4, 255)):
        cv2.imwrite(str(sideways / "image_0" / f"{i:06d}.png"), np.full((200, 320), gray, np.uint8))
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 0
    assert report(tmp_path / "out")["summary"]["lost"] == {"image too dark": 2, "image overexposed": 1}
    assert "2 image too dark, 1 image overexposed" in capsys.readouterr().out


@pytest.mark.usefixtures("matcher")
@pytest.mark.filterwarnings("error")
def test_any_name_of_a_folder(sideways: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Markup of the terminal, mathematics of the picture, letters of no font, and bytes that are no text."""
    (sideways.parent / "a [").mkdir()
    source = sideways.rename(sideways.parent / "a [" / "b] [i] $x^$ \u4e2d \udcff")
    output = tmp_path / "out [" / "b] [i] $x^$ \udcff"
    assert main(["run", str(source), "--output", str(output), "--mode", "stereo"]) == 0
    assert (output / "trajectory.png").stat().st_size > 0
    assert rb"out[/b][i]$x^$\udcff" in b"".join(capfdbinary.readouterr().out.split())  # lines are wrapped anywhere


@pytest.mark.parametrize("name", ["trajectory.tum", "run.json", "trajectory.png"])
def test_folder_in_the_place_of_a_result_is_found_before_the_run(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "out" / name).mkdir(parents=True)
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == 2
    assert f"{name} is a folder" in capsys.readouterr().err


@pytest.mark.usefixtures("matcher")
@pytest.mark.parametrize("name", RESULT_FILES)
def test_full_disk(sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """What fits is kept: the trajectory is written first."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to("/dev/full")
    assert run(sideways, tmp_path / "out", "--mode", "stereo") == (0 if name == "groundtruth.tum" else 2)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    if name != "groundtruth.tum":  # that of an earlier run is removed, so the link is
        assert f"{name} cannot be written: No space left on device." in said
    if name != "trajectory.tum":
        assert len(read_tum(tmp_path / "out" / "trajectory.tum")) == 6
