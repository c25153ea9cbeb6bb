"""The whole way, from real camera images to a trajectory, with the checkpoint of the package."""

import importlib.util
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).parents[2]
NUMBER = r"[-+]?\d+(?:\.\d+)?"


@pytest.fixture
def summary_of(recorded: Callable[[str], Path], loftr_ros_program: Program, tmp_path: Path) -> Callable[..., Any]:
    """Run a recorded sequence, with the results in out/06, and return the summary."""

    def run(name: str, *options: object) -> Any:
        output = tmp_path / "out" / "06"
        arguments = (recorded(name), *options, "--output", output, "--no-progress")
        result = loftr_ros_program("run", *arguments, timeout=300)
        assert result.returncode == 0, result.stderr
        return json.loads((output / "run.json").read_text())["summary"]

    return run


def figures(text: str) -> list[float]:
    return [float(number) for number in re.findall(NUMBER, text)]


def test_stereo_is_metric_and_as_the_docs_show_it(summary_of: Callable[..., Any], tmp_path: Path) -> None:
    errors = summary_of("kitti/sequences/06", "--mode", "stereo")["errors"]
    assert not errors["scaled"]
    assert errors["poses"] == 51
    assert errors["end_percent"] < 2.0
    assert errors["rotation_mean_deg"] < 0.08

    path = ROOT / "tools" / "write_evaluation_docs.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docs)
    shown, printed = docs.example(), docs.transcript(tmp_path)
    assert re.sub(rf" *{NUMBER}", "#", printed) == re.sub(rf" *{NUMBER}", "#", shown), f"run {path}"
    assert figures(printed) == pytest.approx(figures(shown), rel=0.15, abs=0.003), f"run {path}"


def test_mono_has_the_right_directions(summary_of: Callable[..., Any]) -> None:
    """Five frames apart; from frame to frame in the test of the camera's height."""
    summary = summary_of("kitti/sequences/06", "--mode", "mono", "--stride", 5)
    assert not summary["scale_known"]
    assert_directions(summary)


def assert_directions(summary: Any) -> None:
    assert summary["input_warnings"] == {}
    assert summary["errors"]["direction_median_deg"] < 0.6
    assert summary["errors"]["rotation_median_deg"] < 0.06


def test_height_of_the_camera_gives_the_meters_of_the_readme(summary_of: Callable[..., Any]) -> None:
    options = ("--mode", "mono", "--scale-source", "camera_height", "--camera-height", 1.65)
    summary = summary_of("kitti/sequences/06", *options)
    assert_directions(summary)
    errors = summary["errors"]
    shown = re.search(
        r"camera's height \| mono \| ([\d.]+) m, ([\d.]+) % \| ([\d.]+)°", (ROOT / "README.md").read_text()
    )
    assert not errors["scaled"]
    measured = [errors[name] for name in ("ate_m", "ate_percent", "rotation_mean_deg")]
    assert measured == pytest.approx([float(figure) for figure in shown.groups()], rel=0.15, abs=0.003)


def test_rgbd_of_a_white_corridor(summary_of: Callable[..., Any]) -> None:
    summary = summary_of("tum/tartanair_corridor", "--mode", "rgbd", "--stride", 3)
    assert summary["scale_known"]
    assert set(summary["states"]) == {"initializing", "tracking"}
    assert summary["input_warnings"] == {}
    assert summary["errors"]["ate_percent"] < 1.0
