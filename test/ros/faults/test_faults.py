"""Faults on real processes: a few in the suite, all of them by `make faults`, which writes a table.

One node goes through one fault after the other. After each it is alive, what it published is valid, its diagnostics
have named the fault, and it tracks again.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
IS_LONG = bool(os.environ.get("LOFTR_ROS_FAULTS"))
SHORT = ("matcher raises", "one frame stamped 100 s ahead")
NODE = ("mode:=stereo", "max_pixels:=20000", "input_timeout:=3.0", "output_folder:=/dev", "trajectory_file:=full")


TITLES = ["fault", "diagnostics", "odometry after (s)", "tracking after (s)"]
LEVELS = ("OK", "WARN", "ERROR")


@pytest.mark.filterwarnings("ignore")
def test_one_fault_after_the_other(ros: Any, rendered: Any, tmp_path: Path, write_table: Any) -> None:
    order, result = tmp_path / "order", tmp_path / "result.json"
    ros.environment |= {"MATCHER_ORDER": str(order), "OMP_NUM_THREADS": "1"}
    arguments = [argument for parameter in NODE for argument in ("-p", parameter)]
    node = ros.start(HERE / "fault_node.py", "--ros-args", "--log-level", "fatal", *arguments)
    wanted = () if IS_LONG else SHORT
    session = (HERE / "fault_session.py", rendered.path, node.pid, order, result, *wanted)
    code, said, errors = ros.run(*session, timeout=3600)
    assert code == 0, said + errors
    rows = json.loads(result.read_text())["rows"]
    if folder := os.environ.get("LOFTR_ROS_FAULTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "faults.json").write_text(result.read_text())
    write_table(TITLES, [[r["fault"], LEVELS[r["level"]], r["odometry_s"], r["tracking_s"]] for r in rows])
    assert {row["fault"]: row["failures"] for row in rows if row["failures"]} == {}
    assert ros.stop(node)[0] == 0


@pytest.mark.skipif(not IS_LONG, reason="make faults")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("seed", range(4))
def test_a_signal_at_any_moment(ros: Any, seed: int, number: signal.Signals) -> None:
    """From the first moment at which Python could take it until the node has been active for some seconds."""
    node = ros.node(mode="stereo")
    time.sleep(random.Random(f"{seed} {number}").uniform(0.5, 12.0))
    code, errors = ros.stop(node, number)
    assert (code, "Traceback" in errors) == (0, False), errors
