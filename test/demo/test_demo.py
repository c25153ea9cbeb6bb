"""`loftr-ros demo` from end to end: three processes over DDS."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from loftr_ros.demo.session import SessionError, play_to_node

FRAMES = 44


def test_the_demo_closes_its_loop(
    loftr_ros_program: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    result = loftr_ros_program("demo", "--output", tmp_path, "--frames", FRAMES, timeout=600)
    assert result.returncode == 0, result.stderr + "".join(log.read_text() for log in tmp_path.glob("*.log"))
    steps = result.stdout.partition("loftr_ros demo")[0].strip().splitlines()
    assert [line.split()[0] for line in steps] == ["rendering", "playing", "drawing"]
    percent = re.search(r"ATE .* ([\d.]+) % of the path", result.stdout)
    assert percent is not None, result.stdout
    assert float(percent[1]) < 2.0
    assert len(json.loads((tmp_path / "play.json").read_text())["stamps_ns"]) == FRAMES
    assert len(json.loads((tmp_path / "record.json").read_text())["stamps_ns"]) == FRAMES
    assert len((tmp_path / "odometry.tum").read_text().splitlines()) == FRAMES
    for picture in ("trajectory.png", "matches.png"):
        assert (tmp_path / picture).stat().st_size > 20_000


def test_a_process_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match=r"player .* exit code 2: see .*player\.log"):
        play_to_node(tmp_path / "no_sequence", tmp_path, domain=97)
    assert "no_sequence" in (tmp_path / "player.log").read_text()
