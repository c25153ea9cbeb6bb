"""The table of several runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from loftr_ros.runs.batch import Outcome, Task
from loftr_ros.runs.tables import print_outcomes

SUMMARY: dict[str, Any] = {
    "mode": "mono",
    "frames": 4,
    "states": {"tracking": 3, "lost": 1},
    "errors": None,
    "frames_per_second": 2.5,
    "scale_known": True,
    "lost": {"no texture": 1},
    "calibration_guess": "",
    "skipped": [],
    "calibration_warnings": [],
    "input_warnings": {},
    "resumed_at": [],
}


def printed(folder: Path, report: str, capsys: pytest.CaptureFixture[str]) -> str:
    (folder / "run.json").write_text(report)
    print_outcomes([Outcome(Task(folder, "drive", folder), 0)], folder)
    return capsys.readouterr().out.splitlines()[1]


def test_a_run_in_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = printed(tmp_path, json.dumps({"summary": SUMMARY}), capsys)
    assert row.split() == ["drive", "mono", "4", "75", "%", "-", "-", "2.5", "Hz", "1", "lost,", "no", "texture"]


@pytest.mark.parametrize("field", SUMMARY)
@pytest.mark.parametrize("value", [None, 0, "x", [1], {"a": "b"}])
def test_a_damaged_report_is_told_in_its_row(
    tmp_path: Path, field: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a run that was finished before, and is skipped by --resume."""
    assert printed(tmp_path, json.dumps({"summary": {**SUMMARY, field: value}}), capsys).startswith("drive")
    missing = {name: value for name, value in SUMMARY.items() if name != field}
    row = printed(tmp_path, json.dumps({"summary": missing}), capsys)
    assert row.split("-", 1)[1].endswith("no result: its run.json is damaged; repeat the run without --resume")


@pytest.mark.parametrize("report", ["", "[" * 100_000, "[]", '{"summary": 1}'])
def test_a_report_that_is_none(tmp_path: Path, report: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no result: its run.json is damaged" in printed(tmp_path, report, capsys)
