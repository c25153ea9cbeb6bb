"""Assembles the page: text, tables and pictures here, charts by its script from embedded data."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from loftr_ros.reports.page.charts import page_data
from loftr_ros.reports.page.run_folder import RunFolder
from loftr_ros.reports.run_log import focal_length_test
from loftr_ros.reports.worst_frames import FOLDER

_ASSETS = files("loftr_ros.reports.page") / "assets"
_HIDDEN = {"config", "versions", "states", "lost", "remarks", "input_warnings", "median_milliseconds", "errors"}
_HIDDEN |= {"worst_frames", "notes", "calibration_warnings", "skipped", "identity", "focal_length_sigma"}


def page(runs: Sequence[RunFolder], title: str) -> str:
    """Return the HTML page of some runs; it loads nothing from elsewhere."""
    data = json.dumps(page_data(runs), separators=(",", ":"), allow_nan=False)
    return Template(_asset("page.html")).substitute(
        title=escape(title),
        css=_asset("page.css"),
        script=_asset("page.js"),
        # The data may contain names of files, and a script ends at its end tag wherever that is.
        data=data.replace("<", "\\u003c"),
        figures=_figures(runs),
        warnings="".join(_warnings(run, len(runs) > 1) for run in runs),
        pictures="".join(_pictures(run) for run in runs),
        settings="".join(_settings(run) for run in runs),
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _figures(runs: Sequence[RunFolder]) -> str:
    """Table of key figures, one column per run."""
    columns = [dict(_key_figures(run)) for run in runs]
    names = dict.fromkeys(name for column in columns for name in column)
    head = "".join(
        f'<th scope="col"><span class="dot run{index}"></span>{escape(run.name)}</th>' for index, run in enumerate(runs)
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(column.get(name, '-'))}</td>" for column in columns)
        + "</tr>"
        for name in names
    )
    return f'<table class="figures"><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _key_figures(run: RunFolder) -> Iterator[tuple[str, str]]:
    summary = run.summary
    states = ", ".join(f"{count} {state}" for state, count in summary.get("states", {}).items())
    yield "mode", str(summary.get("mode", "-"))
    if guess := summary.get("calibration_guess"):
        yield "calibration", str(guess).removeprefix("calibration ")
    yield "frames", f"{len(run.frames)} ({states})"
    if lost := summary.get("lost"):
        yield "lost", ", ".join(f"{count} {reason}" for reason, count in lost.items())
    yield "path", f"{run.trajectory.length:.2f} {'m' if summary.get('scale_known') else '(scale unknown)'}"
    if errors := summary.get("errors"):
        scaled = ", aligned with scale" if errors["scaled"] else ""
        yield "ATE", f"{errors['ate_m']:.3f} m, {errors['ate_percent']:.2f} % of {errors['path_m']:.2f} m{scaled}"
        yield "end error", f"{errors['end_m']:.3f} m, {errors['end_percent']:.2f} %"
        yield "rotation error", f"{errors['rotation_mean_deg']:.3f}° per frame (mean)"
    if focal_length := focal_length_test(summary):
        yield "focal length", focal_length
    yield "matches", f"{summary.get('median_matches', 0):.0f} per frame, {summary.get('median_inliers', 0):.0f} inliers"
    yield "time of a frame", f"{summary.get('median_milliseconds', {}).get('frame', 0):.0f} ms (median)"
    yield "keyframes", str(summary.get("keyframes", "-"))
    yield "checkpoint", f"{summary.get('checkpoint', '-')} on {summary.get('device', '-')}"


def _warnings(run: RunFolder, named: bool) -> str:
    summary = run.summary
    remarks = summary.get("remarks", {})
    texts = [("warning", text) for text in summary.get("calibration_warnings", [])]
    texts += [
        ("warning", f"{text} ({remarks.get(fault, 0)} frames)")
        for fault, text in summary.get("input_warnings", {}).items()
    ]
    texts += [("warning", f"skipped: {text}") for text in summary.get("skipped", [])]
    texts += [("note", text) for text in summary.get("notes", [])]
    if not texts:
        return ""
    title = f" of {escape(run.name)}" if named else ""
    rows = "".join(f'<li class="{kind}">{escape(str(text))}</li>' for kind, text in texts)
    return f"<section><h2>Input{title}</h2><ul>{rows}</ul></section>"


def _pictures(run: RunFolder) -> str:
    found = [(entry, run.path / FOLDER / str(entry["file"])) for entry in run.summary.get("worst_frames", [])]
    figures = "".join(_picture(entry, path) for entry, path in found if path.is_file())
    return f"<section><h2>Worst frames of {escape(run.name)}</h2>{figures}</section>" if figures else ""


def _picture(entry: dict[str, Any], path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    caption = f"frame {entry['index']}, inlier ratio {100 * entry['inlier_ratio']:.0f} %"
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="Matches of {escape(caption)}" loading="lazy">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _settings(run: RunFolder) -> str:
    summary = run.summary
    shown = {key: value for key, value in summary.items() if key not in _HIDDEN}
    groups = {"run": shown, "configuration": summary.get("config", {}), "versions": summary.get("versions", {})}
    tables = "".join(_table(name, values) for name, values in groups.items() if values)
    return f"<details><summary>Settings of {escape(run.name)}</summary>{tables}</details>"


def _table(title: str, values: dict[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(str(key))}</th><td>{escape(str(value))}</td></tr>'
        for key, value in values.items()
    )
    return f"<table><caption>{escape(title)}</caption><tbody>{rows}</tbody></table>"
