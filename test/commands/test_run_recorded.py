"""The whole way, from real camera images to a trajectory, with the checkpoint of the package."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def kitti_06(recorded: Callable[[str], Path], loftr_ros_program: Program, tmp_path: Path) -> Callable[[str], Any]:
    """Run 60 m of KITTI 06 and return the summary."""
    source = recorded("kitti/sequences/06")

    def run(mode: str) -> Any:
        result = loftr_ros_program("run", source, "--mode", mode, "--output", tmp_path, "--no-progress", timeout=300)
        assert result.returncode == 0, result.stderr
        return json.loads((tmp_path / "run.json").read_text())["summary"]

    return run


def test_stereo_is_metric(kitti_06: Callable[[str], Any]) -> None:
    errors = kitti_06("stereo")["errors"]
    assert not errors["scaled"]
    assert errors["poses"] == 51
    assert errors["end_percent"] < 2.0
    assert errors["rotation_mean_deg"] < 0.08


def test_mono_has_the_right_directions(kitti_06: Callable[[str], Any]) -> None:
    summary = kitti_06("mono")
    assert not summary["scale_known"]
    assert summary["errors"]["direction_median_deg"] < 0.6
    assert summary["errors"]["rotation_median_deg"] < 0.06
