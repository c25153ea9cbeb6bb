"""The node at full load: twelve seconds in the suite; 1080p by `make soak MINUTES=…` for as long as is wanted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
IS_LONG = "LOFTR_ROS_SOAK_MINUTES" in os.environ
MINUTES = float(os.environ.get("LOFTR_ROS_SOAK_MINUTES", "0.2"))
# What the node keeps is bounded by these; the defaults would not be full after the warm-up.
STORES = {"record_failure_memory": 8, "path_length": 100, "trajectory_length": 1000, "revisit_keyframes": 8}
SIZE, MAX_PIXELS = ((1920, 1080), 150_000) if IS_LONG else ((320, 240), 20_000)


@pytest.mark.filterwarnings("ignore")
def test_soak(ros: Any, rendered: Any, tmp_path: Path) -> None:
    result = Path(os.environ.get("LOFTR_ROS_SOAK_OUTPUT", tmp_path)) / "soak.json"
    result.parent.mkdir(parents=True, exist_ok=True)
    ros.environment["OMP_NUM_THREADS"] = "1"
    node = ros.node(mode="stereo", max_pixels=MAX_PIXELS, **STORES)
    session = (HERE / "soak_session.py", rendered.path, node.pid, *SIZE, MINUTES, result)
    code, said, errors = ros.run(*session, timeout=60 * MINUTES + 300)
    assert code == 0, said + errors
    figures = json.loads(result.read_text())
    assert figures["invalid"] == []
    assert figures["odometry"] > 0
    assert figures["memory_growth"] < (0.02 if MINUTES >= 5 else 0.1)  # warm-up is not over so soon
    assert figures["thread_growth"] == 0
    assert figures["descriptor_growth"] == 0
    # Newest wins: whatever the load, an estimate is of a frame that was the newest while the one before was in work.
    assert figures["behind_newest_median_s"] < 3 / figures["odometry_hz"]
    assert ros.stop(node)[0] == 0
