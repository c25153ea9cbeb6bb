"""bench/node.py with a small camera, its statistics, and bench/memory.py for a few frames."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Bench = Callable[[str], ModuleType]


def test_tables(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("std_msgs", reason="needs ROS")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    options = ["--size", "160", "120", "--rate", "20", "--seconds", "2", "--starts", "1"]
    assert bench("node").main([*options, "--output", str(tmp_path / "out.json")]) == 0

    session = json.loads((tmp_path / "out.json").read_text())["tables"][0]["session"]
    stamps = {stamp for stamp, _, _ in session["callbacks"]}
    assert len(stamps) > 10
    assert stamps <= set(session["sent_ns"])
    assert len(session["frames"]) > 3
    for frame in session["frames"]:
        assert frame["stamp_ns"] in stamps
        assert frame["began_ns"] > frame["stamp_ns"]
    assert {"decode", "odometry", "extract", "pose"} <= set(session["frames"][-2]["stages_ms"])
    assert {int(stamp) for stamp in session["received_ns"]} <= {frame["stamp_ns"] for frame in session["frames"]}
    assert 0.3 < session["start_s"] < 60
    assert min(session["memory_mib"]) > 100


def test_statistics(bench: Bench) -> None:
    """Two images; the second is processed late, after a third one was received."""
    session, report = bench("node_session"), bench("node_report")
    ms = 1_000_000
    frames = [
        session.Frame(0, 0, 3 * ms, 12.0, {"decode": 1.0, "odometry": 10.0, "match": 6.0, "publish": 0.5}),
        session.Frame(20 * ms, 40 * ms, 45 * ms, 14.0, {"decode": 1.0, "odometry": 11.0, "publish": 0.5}),
    ]
    callbacks = [(0, 2 * ms, 0.5), (20 * ms, 24 * ms, 0.25), (40 * ms, 46 * ms, 0.5)]
    received = {0: 16 * ms, 20 * ms: 60 * ms}
    measured = session.Session(2.5, [0, 20 * ms, 40 * ms], callbacks, frames, received, (400.0, 401.0))
    stages = {row[0]: row[1:] for row in report.StagesReport("", measured).cells}
    assert stages["stamp to callback"] == ["4.00", "5.80", "6.00", "3"]
    assert stages["waiting"][0] == "10.62", "mean of 0.5 and 20.75"
    assert stages["- match"] == ["6.00", "6.00", "6.00", "1"]
    assert stages["node overhead"][0] == "2.50"
    assert stages["stamp to odometry received"][2] == "40.00"
    checks = {row[0]: row[1] for row in report.RequirementsReport("", measured, [2.5]).cells}
    assert checks["frames processed, of which not the newest"] == "2, 1"
    assert checks["stamp to callback, first and last third"] == "2.0 ms, 6.0 ms"


def test_failed_process_is_reported(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(bench("data").BenchError, match="No such file"):
        bench("node_session").run(tmp_path / "none.npy", 10.0, 0.0, [], tmp_path, 1)


def test_memory(bench: Bench, tmp_path: Path) -> None:
    options = ["--frames", "10", "--size", "128", "96", "--device", "cpu", "--output", str(tmp_path / "out.json")]
    assert bench("memory").main(options) == 0
    (table,) = json.loads((tmp_path / "out.json").read_text())["tables"]
    assert [number for number, _, _ in table["readings"]] == [1, 3, 5, 8, 10]
    assert all(mib > 50 for _, mib, _ in table["readings"])
    assert table["readings"][0][2] == 1, "the first frame is a keyframe"
