"""Where `loftr-ros run` writes without --output, and that report, compare and evaluate find it."""

import json
from pathlib import Path

import cv2
import pytest

from loftr_ros.cli import main

pytestmark = pytest.mark.usefixtures("matcher", "without_plots")


def test_run_and_report_without_a_folder(
    sideways: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(sideways), "--no-progress", "--stride", "2"]) == 0
    (folder,) = (path for path in Path("loftr_runs").iterdir() if not path.is_symlink())
    assert folder.name.startswith("KITTI_00_")
    said = capsys.readouterr().out
    assert str(folder) in said
    assert said.endswith("loftr-ros report makes a page about this run\n")
    assert json.loads((folder / "run.json").read_text())["summary"]["frames"] == 3
    assert main(["report"]) == 0
    assert (folder / "report.html").is_file()
    assert main(["evaluate", "latest"]) == 0
    assert (folder / "evaluation.json").is_file()
    assert main(["compare", "latest", str(folder)]) == 0


def test_without_a_run_there_is_no_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("report", "evaluate", "compare"):
        assert main([command]) == 2
        assert "There is no loftr_runs/latest here" in capsys.readouterr().err


def test_a_source_that_cannot_be_opened_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(tmp_path)]) == 2
    assert not Path("loftr_runs").exists()


def test_a_guessed_calibration_is_marked_everywhere(
    sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, guess = tmp_path / "out", "guessed from a field of view of 77°"
    assert main(["run", str(sideways / "image_0"), "--output", str(output), "--no-progress"]) == 2
    capsys.readouterr()
    images = tmp_path / "images"
    (sideways / "image_0").rename(images)
    bag = tmp_path / "run.mcap"
    assert main(["run", str(images), "--fov", "77", "--output", str(output), "--no-progress", "--bag", str(bag)]) == 0
    said = capsys.readouterr()
    assert f"note: calibration {guess}" in said.err
    assert guess in said.out
    assert json.loads((output / "run.json").read_text())["summary"]["calibration_guess"] == f"calibration {guess}"
    assert main(["report", str(output)]) == 0
    assert (output / "report.html").read_text().count(guess) >= 2, "figures and notes"
    assert guess.encode() in bag.read_bytes()


def test_video_of_a_run(sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video, options = tmp_path / "run.mp4", ["--output", str(tmp_path / "out"), "--no-progress"]
    assert main(["run", str(sideways), *options, "--stride", "2", "--video", str(video)]) == 0
    capture = cv2.VideoCapture(str(video))
    assert capture.get(cv2.CAP_PROP_FPS) == 5, "that of every second frame"
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 3
    assert main(["run", str(sideways), *options, "--video", str(tmp_path / "run.gif")]) == 2
    assert "a video is written as .mp4 or .avi" in capsys.readouterr().err
