"""Tables on the terminal: of one run, and of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loftr_ros.errors import shortened
from loftr_ros.odometry.states import Degeneracy
from loftr_ros.output import REPORT_FILE
from loftr_ros.reports.run_log import MEASURED, focal_length_test, load_report
from loftr_ros.runs.batch import LOG_FILE, Outcome


def print_summary(summary: dict[str, Any], output: Path) -> None:
    """Print the figures of a run; `summary` is that of run.json, `output` its folder."""
    errors = summary["errors"]
    states = ", ".join(f"{count} {state}" for state, count in summary["states"].items())
    unit = "m" if summary["scale_known"] else "(scale unknown)"
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")  # do not abbreviate paths
    table.add_row("frames", f"{summary['frames']} ({states})")
    if summary["calibration_guess"]:
        table.add_row("calibration", summary["calibration_guess"].removeprefix("calibration "))
    if summary["skipped"]:
        table.add_row("skipped", f"{len(summary['skipped'])} with unusable images, see the warnings")
    if summary["input_warnings"]:
        counts = (f"{summary['remarks'][fault]} {fault}" for fault in summary["input_warnings"])
        table.add_row("warnings", f"{', '.join(counts)}, see above")
    if degenerate := [f"{summary['remarks'][d.value]} {d.value}" for d in Degeneracy if d.value in summary["remarks"]]:
        table.add_row("less accurate", f"{', '.join(degenerate)}, see run.json")
    if summary["lost"]:
        table.add_row("lost", ", ".join(f"{count} {reason}" for reason, count in summary["lost"].items()))
    table.add_row(
        "matches", f"{summary['median_matches']:.0f} per frame, {summary['median_inliers']:.0f} inliers (median)"
    )
    table.add_row("time", f"{summary['median_milliseconds']['frame']:.0f} ms per frame (median)")
    table.add_row("path", f"{summary['path_length']:.2f} {unit}")
    if focal_length := focal_length_test(summary):
        table.add_row("focal length", focal_length)
    if errors:
        alignment = "aligned with scale" if errors["scaled"] else "aligned"
        ate = "{ate_m:.3f} m, {ate_percent:.2f} % of {path_m:.2f} m".format(**errors)
        few = 2 * errors["poses"] < summary["frames"]
        covered = f", of the {errors['poses']} frames with ground truth" if few else ""
        table.add_row("ATE", f"{ate}, {alignment}{covered}")
        table.add_row("rotation error", f"{errors['rotation_mean_deg']:.3f}° per frame (mean)")
    elif summary["ground_truth"]:
        table.add_row("ATE", "unknown: the ground truth covers fewer than two of these frames, or does not move")
    elif summary["ground_truth_fault"]:
        table.add_row("ATE", "unknown: the ground truth cannot be used, see the warning")
    table.add_row("results", escape(str(output)))
    Console(soft_wrap=True).print(table)


_HEADINGS = ("source", "mode", "frames", "tracked", "ATE", "RPE", "rate")


def print_outcomes(outcomes: Sequence[Outcome], folder: Path) -> None:
    """Print a table of several runs, each with its remarks, or the reason why there is no result."""
    results = [_result(outcome) for outcome in outcomes]
    rows = [_HEADINGS, *((shortened(o.task.name), *cells) for o, (cells, _) in zip(outcomes, results, strict=True))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, remark in zip(rows, ["", *(remark for _, remark in results)], strict=True):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells[1:], remark]).rstrip())
    print(f"results in {folder}, output of each source in its {LOG_FILE}", flush=True)


def _result(outcome: Outcome) -> tuple[tuple[str, ...], str]:
    """Return the cells after the name, and the remarks, or the reason why there is no result."""
    if outcome.code != 0:
        return ("-",) * 6, f"no result: {shortened(outcome.reason, 400)}"
    try:
        summary = load_report(outcome.task.folder)["summary"]
        return _cells(summary), _remarks(summary)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return ("-",) * 6, f"no result: its {REPORT_FILE} is damaged; repeat the run without --resume"


def _cells(summary: dict[str, Any]) -> tuple[str, ...]:
    """Return mode, frames, tracked frames, errors of the path and per frame, and frames per second."""
    ate, rpe = "-", "-"
    tracked = sum(count for state, count in summary["states"].items() if state in MEASURED)
    if errors := summary["errors"]:
        ate = f"{errors['ate_m']:.3f} m, {errors['ate_percent']:.2f} %"
        rpe = f"{errors['translation_mean_m']:.4f} m, {errors['rotation_mean_deg']:.3f}°"
    return (
        str(summary["mode"]),
        str(summary["frames"]),
        f"{100 * tracked / summary['frames']:.0f} %",
        ate,
        rpe,
        f"{summary['frames_per_second']:.1f} Hz",
    )


def _remarks(summary: dict[str, Any]) -> str:
    remarks = [] if summary["scale_known"] else ["scale unknown"]
    remarks += [f"{count} lost, {reason}" for reason, count in summary["lost"].items()]
    if summary["calibration_guess"]:
        remarks.append(summary["calibration_guess"])
    if summary["skipped"]:
        remarks.append(f"{len(summary['skipped'])} images skipped")
    warnings = len(summary["calibration_warnings"]) + len(summary["input_warnings"])
    if warnings:
        remarks.append(f"warnings: {warnings}")
    if summary["resumed_at"]:
        remarks.append(f"resumed at frame {', '.join(map(str, summary['resumed_at']))}")
    return shortened("; ".join(remarks), 400)
