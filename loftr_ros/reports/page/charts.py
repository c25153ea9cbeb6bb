"""Contents of the page as plain data, which its script draws: figures, trajectories, and values over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.reports.page.run_folder import RunFolder

# More points than a screen has pixels only make the file large.
MAX_POINTS = 2000

Data = dict[str, Any]


def page_data(runs: Sequence[RunFolder]) -> Data:
    """Return the data of all charts, for JSON."""
    charts = _charts_of_one(runs[0]) if len(runs) == 1 else _charts_of_several(runs)
    return {
        "plans": [
            _plan(runs, "from above", "right", "forward", (0, 2), (1, 1)),
            _plan(runs, "from the side", "forward", "up", (2, 1), (1, -1)),
        ],
        "states": [_states(run) for run in runs],
        "charts": [chart for chart in charts if chart["series"]],
    }


def _plan(runs: Sequence[RunFolder], title: str, x: str, y: str, axes: tuple[int, int], signs: tuple[int, int]) -> Data:
    """Trajectories in a plane of the first camera, whose axes are x right, y down, z forward."""

    def flat(points: Array) -> list[list[float | None]]:
        picked = points[_evenly(len(points))][:, axes] * signs
        return [_rounded(picked[:, 0]), _rounded(picked[:, 1])]

    lines: list[Data] = []
    for index, run in enumerate(runs):
        points, truth, _ = run.aligned
        if truth is not None and (index == 0 or run.summary.get("source") != runs[0].summary.get("source")):
            lines.append({"name": "ground truth", "points": flat(truth), "truth": True})
        lines.append({"name": run.name, "points": flat(points), "run": index})
    units = {run.unit if run.truth is None else "m" for run in runs}
    unit = units.pop() if len(units) == 1 else "units"
    return {"title": title, "x": f"{x} [{unit}]", "y": f"{y} [{unit}]", "lines": lines}


def _states(run: RunFolder) -> Data:
    """Intervals of equal state, seconds."""
    states = [str(frame.get("state")) for frame in run.frames]
    starts = [index for index in range(len(states)) if index == 0 or states[index] != states[index - 1]]
    ends = [*starts[1:], len(states) - 1]
    spans = [
        [round(float(run.seconds[start]), 4), round(float(run.seconds[end]), 4), states[start]]
        for start, end in zip(starts, ends, strict=True)
    ]
    return {"name": run.name, "spans": spans}


def _charts_of_one(run: RunFolder) -> list[Data]:
    timings = [frame.get("milliseconds", {}) for frame in run.frames]
    stages = dict.fromkeys(stage for timing in timings for stage in timing)
    milliseconds = {name: np.array([timing.get(name, 0.0) for timing in timings]) for name in stages}
    return [
        *(_chart(title, unit, [("", run, values)], top) for title, unit, values, top in _measures(run)),
        _chart("matches", "", [(name, run, run.column(name)) for name in ("matches", "inliers")]),
        _chart("time of a frame", "ms", [(name, run, values) for name, values in milliseconds.items()], stacked=True),
    ]


def _charts_of_several(runs: Sequence[RunFolder]) -> list[Data]:
    charts = [
        _chart(title, unit, [(run.name, run, values) for run, (_, _, values, _) in zip(runs, same, strict=True)], top)
        for same in zip(*map(_measures, runs), strict=True)
        for title, unit, _, top in same[:1]
    ]
    return [
        *charts,
        _chart("matches", "", [(run.name, run, run.column("matches")) for run in runs]),
        _chart("time of a frame", "ms", [(run.name, run, _frame_ms(run)) for run in runs]),
    ]


def _measures(run: RunFolder) -> list[tuple[str, str, Array | None, float | None]]:
    """Title, unit, values and upper end of the axis."""
    matches, inliers = run.column("matches"), run.column("inliers")
    return [
        ("position error", "m", run.aligned[2], None),
        ("inlier ratio", "", np.where(matches > 0, inliers / np.maximum(matches, 1), np.nan), 1.0),
        ("speed", f"{run.unit}/s", run.column("speed"), None),
        ("standard deviation of the position", run.unit, run.column("position_sigma"), None),
        ("standard deviation of the rotation", "°", run.column("rotation_sigma_deg"), None),
    ]


def _chart(
    title: str,
    unit: str,
    lines: Sequence[tuple[str, RunFolder, Array | None]],
    top: float | None = None,
    stacked: bool = False,
) -> Data:
    """Lines over time by name; those without any value but zero are left out."""
    series = [
        {"name": name, "run": index, **_line(run, values)}
        for index, (name, run, values) in enumerate(lines)
        if values is not None and np.nanmax(np.abs(values), initial=0.0) > 0
    ]
    return {"title": title, "unit": unit, "series": series, "top": top, "stacked": stacked}


def _line(run: RunFolder, values: Array) -> Data:
    picked = _evenly(len(values))
    return {"t": _rounded(run.seconds[picked]), "y": _rounded(values[picked])}


def _frame_ms(run: RunFolder) -> Array:
    return np.array([sum(frame.get("milliseconds", {}).values()) for frame in run.frames], np.float64)


def _evenly(count: int) -> Array:
    """Indices of at most MAX_POINTS of `count` elements, first and last included."""
    return np.unique(np.linspace(0, count - 1, min(count, MAX_POINTS)).round().astype(int))


def _rounded(values: Array) -> list[float | None]:
    """Five significant digits; None for NaN, which JSON lacks."""
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values.tolist()]
