"""The whole way, from real camera images to a trajectory, with the checkpoint of the package."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def summary_of(recorded: Callable[[str], Path], loftr_ros_program: Program, tmp_path: Path) -> Callable[..., Any]:
    """Run a recorded sequence and return the summary."""

    def run(name: str, *options: object) -> Any:
        arguments = (recorded(name), *options, "--output", tmp_path, "--no-progress")
        result = loftr_ros_program("run", *arguments, timeout=300)
        assert result.returncode == 0, result.stderr
        return json.loads((tmp_path / "run.json").read_text())["summary"]

    return run


def test_stereo_is_metric(summary_of: Callable[..., Any]) -> None:
    errors = summary_of("kitti/sequences/06", "--mode", "stereo")["errors"]
    assert not errors["scaled"]
    assert errors["poses"] == 51
    assert errors["end_percent"] < 2.0
    assert errors["rotation_mean_deg"] < 0.08


def test_mono_has_the_right_directions(summary_of: Callable[..., Any]) -> None:
    summary = summary_of("kitti/sequences/06", "--mode", "mono")
    assert not summary["scale_known"]
    assert summary["errors"]["direction_median_deg"] < 0.6
    assert summary["errors"]["rotation_median_deg"] < 0.06


def test_rgbd_of_a_white_corridor(summary_of: Callable[..., Any]) -> None:
    summary = summary_of("tum/tartanair_corridor", "--mode", "rgbd", "--stride", 2)
    assert summary["scale_known"]
    assert set(summary["states"]) == {"initializing", "tracking"}
    assert summary["errors"]["ate_percent"] < 1.0
