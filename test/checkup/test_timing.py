"""Findings on rate, jitter and gaps of stamps."""

import numpy as np
import pytest

from loftr_ros.checkup.findings import Finding, Level
from loftr_ros.checkup.timing import Intervals, timing_findings

MS = 1_000_000


def findings(milliseconds: list[float]) -> dict[str, Finding]:
    found = timing_findings("time", [round(1e6 * t) for t in milliseconds], lambda index: f"{index}.png")
    return {finding.name: finding for finding in found}


def test_statistics_of_a_regular_stream_with_a_long_gap() -> None:
    stamps = [t * MS for t in (0, 100, 200, 210 + 90, 450, 550)]
    intervals = Intervals.of(stamps)
    assert intervals is not None
    assert (intervals.count, intervals.gaps, intervals.largest_after) == (5, 0, 3)
    assert (intervals.median, intervals.largest) == pytest.approx((0.1, 0.15))
    stamps[-1] += 60 * MS
    assert Intervals.of(stamps).gaps == 1
    assert Intervals.of(stamps[:1]) is None


def test_a_regular_stream_has_no_warning() -> None:
    found = findings([50.0 * i for i in range(20)])
    assert [finding.level for finding in found.values()] == [Level.OK, Level.OK]
    assert found["rate"].figure == "20 Hz, jitter 0 ms (0 %)"
    assert found["rate"].values == pytest.approx({"rate_hz": 20.0, "jitter_ms": 0.0})
    assert found["gaps"].figure == "none of 19 intervals, the longest 0.05 s"


def test_a_missing_image_is_reported_and_a_long_gap_is_a_warning() -> None:
    stamps = [50.0 * i for i in range(40)]
    found = findings(stamps[:10] + stamps[11:])["gaps"]
    assert (found.level, found.figure) == (Level.OK, "1 of 38 intervals, the longest 0.1 s after 9.png")
    assert findings(stamps[:10] + stamps[13:])["gaps"].level is Level.WARNING


def test_frequent_gaps_are_a_warning() -> None:
    found = findings([50.0 * i for i in range(60) if i % 7])["gaps"]
    assert (found.level, found.values["gaps"]) == (Level.WARNING, 8)


def test_jitter_of_arrival_times_is_a_warning() -> None:
    rng = np.random.default_rng(3)
    sent = 50.0 * np.arange(100)
    assert findings((sent + rng.uniform(0, 5, 100)).tolist())["rate"].level is Level.OK
    found = findings((sent + rng.uniform(0, 40, 100)).tolist())["rate"]
    assert found.level is Level.WARNING
    assert "not when they arrive" in found.advice


@pytest.mark.parametrize(("step_ms", "level"), [(0.5, "warning"), (2.0, "ok"), (900.0, "ok"), (1100.0, "warning")])
def test_implausible_intervals_are_a_warning(step_ms: float, level: str) -> None:
    assert findings([step_ms * i for i in range(10)])["rate"].level.value == level
