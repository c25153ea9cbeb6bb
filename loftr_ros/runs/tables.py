"""Tables on the terminal: of one run, and of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loftr_ros.odometry.states import Degeneracy


def print_summary(summary: dict[str, Any], output: Path) -> None:
    """Print the figures of a run; `summary` is that of run.json, `output` its folder."""
    errors = summary["errors"]
    states = ", ".join(f"{count} {state}" for state, count in summary["states"].items())
    unit = "m" if summary["scale_known"] else "(scale unknown)"
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")  # do not abbreviate paths
    table.add_row("frames", f"{summary['frames']} ({states})")
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
    if errors:
        alignment = "aligned with scale" if errors["scaled"] else "aligned"
        ate = "{ate_m:.3f} m, {ate_percent:.2f} % of {path_m:.2f} m".format(**errors)
        few = 2 * errors["poses"] < summary["frames"]
        covered = f", of the {errors['poses']} frames with ground truth" if few else ""
        table.add_row("ATE", f"{ate}, {alignment}{covered}")
        table.add_row("rotation error", f"{errors['rotation_mean_deg']:.3f}° per frame (mean)")
    elif summary["ground_truth"]:
        table.add_row("ATE", "unknown: the ground truth covers fewer than two of these frames")
    elif summary["ground_truth_fault"]:
        table.add_row("ATE", "unknown: the ground truth cannot be used, see the warning")
    table.add_row("results", escape(str(output)))
    Console(soft_wrap=True).print(table)
