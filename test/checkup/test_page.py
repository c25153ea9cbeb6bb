"""The page, and the JSON file."""

import io
import json

import pytest
from rich.console import Console

from loftr_ros.checkup.findings import Finding, Level, Report, error, judged
from loftr_ros.checkup.page import last_line, print_page

LONG = "/data/" + "x" * 100
REPORT = Report(
    LONG,
    "stereo",
    (
        judged("source", "layout", "KITTI [odometry]", ""),
        judged("time", "gaps", "3 of 50 intervals " * 8, "images are missing " * 8, gaps=3),
        error("images", "images", "0.png has three channels"),
    ),
)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_page_fits_80_columns_and_needs_no_color(width: int) -> None:
    out = io.StringIO()
    print_page(REPORT, Console(file=out, width=width))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= min(width, 80)
    flat = " ".join(out.getvalue().split())
    for words in ("ok layout KITTI [odometry]", "WARN gaps 3 of 50", "-> images are missing", "ERROR images"):
        assert words in flat
    assert "\x1b" not in flat
    assert lines[-1] == "1 error, 1 warning: images, gaps"


def test_last_line() -> None:
    assert last_line(Report("x", "mono", REPORT.findings[:1])) == "0 errors, 0 warnings: all is well"
    assert last_line(Report("x", "mono", REPORT.findings[1:2] * 2)) == "0 errors, 2 warnings: gaps"


def test_json_and_exit_code() -> None:
    content = json.loads(json.dumps(REPORT.as_json()))
    assert {name: content[name] for name in ("source", "mode", "warnings", "errors")} == {
        "source": LONG, "mode": "stereo", "warnings": 1, "errors": 1,
    }  # fmt: skip
    assert [set(finding) for finding in content["findings"]] == [
        {"subject", "name", "figure", "level", "advice", "values"}
    ] * 3
    assert content["findings"][2] == {
        "subject": "images", "name": "images", "figure": "cannot be used", "level": "error",
        "advice": "0.png has three channels", "values": {},
    }  # fmt: skip
    assert REPORT.exit_code == 1
    assert Report("x", None, (Finding("a", "b", "c", Level.WARNING, "d"),)).exit_code == 0
