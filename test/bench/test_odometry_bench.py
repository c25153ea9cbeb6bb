"""bench/odometry.py from end to end, on rendered data with the shipped checkpoint."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

Bench = Callable[[str], ModuleType]
NAMES = ["LoFTR compact", "ORB 4000", "SIFT 4000", "SIFT 4000, OpenCV pipeline"]


@pytest.mark.usefixtures("data")
def test_tables(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    begin, end = bench("report").markers("odometry.py")
    page.write_text(f"before\n{begin}\nformer tables\n{end}\nafter\n")
    options = ["--sequences", "kitti06", "desk", "--strides", "1", "2", "--device", "cpu"]
    outputs = ["--output", str(tmp_path / "out.json"), "--output", str(page)]
    assert bench("odometry").main([*options, *outputs]) == 0

    captured = capsys.readouterr()
    assert all(word in captured.out for word in ("CPU", "float", "KITTI 06, stereo", NAMES[-1]))
    assert "skipped desk, rgbd: fr1_desk is no folder" in captured.err
    assert "skipped kitti06, mono, stride 2: fewer than 5 frames" in captured.err
    mono, stereo = json.loads((tmp_path / "out.json").read_text())["tables"]
    assert (mono["title"], stereo["title"]) == ("KITTI 06, mono", "KITTI 06, stereo")
    for table in (mono, stereo):
        assert [run["name"] for run in table["runs"]] == NAMES
        for run in table["runs"]:
            assert (run["stride"], run["frames"]) == (1, 5)
            assert run["errors"]["scaled"] == (table is mono)
            assert 0 < run["engine_ms"] < run["frame_ms"]
    assert stereo["runs"][0]["errors"]["ate_percent"] < 5.0
    assert stereo["runs"][0]["lost"] == 0
    assert stereo["runs"][3]["errors"]["ate_percent"] < 10.0

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "former" not in text
    assert str(tmp_path / "data") not in text
    assert "Left out: desk, rgbd: fr1_desk is no folder" in text
    assert sum(line.startswith("| LoFTR compact | 1 |") for line in text.splitlines()) == 2


@pytest.mark.usefixtures("data")
def test_choice_of_methods_and_modes(bench: Bench, tmp_path: Path) -> None:
    options = ["--sequences", "kitti06", "--modes", "stereo", "--strides", "1", "--methods", "opencv", "orb"]
    assert bench("odometry").main([*options, "--device", "cpu", "--output", str(tmp_path / "out.json")]) == 0
    (table,) = json.loads((tmp_path / "out.json").read_text())["tables"]
    assert [run["name"] for run in table["runs"]] == [NAMES[1], NAMES[3]]


def test_user_errors(
    bench: Bench, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def error_of(*options: object) -> str:
        assert bench("odometry").main([str(option) for option in options]) == 2
        error = capsys.readouterr().err
        assert error.startswith("odometry.py: error: ")
        assert len(error.strip().splitlines()) == 1
        return error

    assert "Nothing to measure" in error_of("--sequences", "kitti06", "--strides", 2)
    (data / "kitti" / "poses" / "06.txt").unlink()
    assert "no ground truth" in error_of("--sequences", data / "kitti" / "sequences" / "06", "--modes", "mono")
    monkeypatch.delenv("LOFTR_ROS_DATA")
    assert "LOFTR_ROS_DATA" in error_of("--sequences", "kitti06")


def test_standing_still_has_no_relative_error(bench: Bench) -> None:
    runs = bench("runs")

    def percent_of(path_m: float) -> str:
        errors = SimpleNamespace(
            path_m=path_m, ate_m=0.004, ate_percent=40.0, rotation_mean_deg=0.1, translation_mean_m=0.001
        )
        (row,) = runs.SequenceReport("static", path_m, [runs.Run("LoFTR", 1, 24, errors, 0.0, 100.0, 50.0, 5.0)]).cells
        return dict(zip(runs.HEADER, row[2:], strict=True))["ATE %"]

    assert percent_of(0.01) == "-"
    assert percent_of(1.0) == "40.00"


@pytest.mark.usefixtures("data")
def test_another_program(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It tracks the frames after the first, and drifts; another one writes nothing."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\nfrom pathlib import Path\n"
        "source, mode, stride, output = sys.argv[1:]\n"
        "times = (Path(source) / 'times.txt').read_text().split()[:: int(stride)]\n"
        "rows = [f'{float(t)} 0 0 {0.9 * i * int(stride)} 0 0 0 1\\n' for i, t in enumerate(times)]\n"
        "(Path(output) / 'online.tum').write_text(''.join(rows[1:]))\n"
    )
    placeholders = "{source} {mode} {stride} {output}"
    options = ["--sequences", "kitti06", "--modes", "stereo", "--strides", "1", "--methods", "orb", "--device", "cpu"]
    options += ["--program", f"Other={sys.executable} {program} {placeholders}", "--output", str(tmp_path / "out.json")]
    options += ["--program", f"None={sys.executable} -c pass {placeholders}"]
    assert bench("odometry").main(options) == 0
    content = json.loads((tmp_path / "out.json").read_text())
    ours, other, ours_there = content["tables"][0]["runs"]
    assert (ours["name"], other["name"], ours_there["name"]) == ("ORB 4000", "Other", "ORB 4000, frames of Other")
    assert (ours["frames"], other["frames"], ours_there["frames"]) == (5, 5, 4)
    assert other["lost"] == pytest.approx(20.0)
    assert other["errors"]["poses"] == ours_there["errors"]["poses"] == 4
    assert other["errors"]["ate_m"] > ours_there["errors"]["ate_m"]
    assert any("None, KITTI 06, stereo, stride 1: None wrote none of" in note for note in content["notes"])
    assert bench("odometry").main(["--program", "Other=echo"]) == 2
    assert "--program Other=echo is not NAME=COMMAND with {source}" in capsys.readouterr().err
