"""`loftr-ros run`: odometry of a recorded sequence, as trajectory files, report and plot."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from loftr_ros.commands.arguments import add_matcher_arguments, add_odometry_arguments, odometry_settings
from loftr_ros.commands.sequence_input import (
    Source,
    add_sequence_arguments,
    open_source,
    print_remark,
    print_skipped,
)
from loftr_ros.errors import LoftrRosError, NoPoseError
from loftr_ros.output import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from loftr_ros.ignore_mask import MaskedMatcher
    from loftr_ros.loftr.runtime.matcher import LoftrMatcher
    from loftr_ros.odometry.estimate import OdometryEstimate
    from loftr_ros.odometry.images.frame import Frame
    from loftr_ros.odometry.scale.metric_odometry import MetricOdometry
    from loftr_ros.odometry.scale.wheel_scale import PositionBuffer
    from loftr_ros.sequences.sequence import Sequence


class RunError(LoftrRosError):
    """Incompatible options, or wheel odometry that does not overlap the sequence in time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = f"{parser.prog} [options] --output DIR SOURCE"
    add_sequence_arguments(parser, "use")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    add_matcher_arguments(parser)
    parser.add_argument(
        "--mask-image",
        type=Path,
        metavar="FILE",
        help="image of the same size; its black regions are ignored, such as the robot's own body",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="stop at an image that is damaged or has another size (default: skip it and report it at the end)",
    )
    parser.add_argument(
        "--bag",
        type=Path,
        metavar="FILE.mcap",
        help="write odometry, tf, path and diagnostics as a bag of ROS 2",
    )
    parser.add_argument("--no-progress", action="store_true", help="hide the progress bar")
    parser.add_argument(
        "--wheel-odometry",
        type=Path,
        metavar="FILE",
        help="positions of the robot's base by its wheels, meters, in TUM format: for --scale-source odometry",
    )
    add_odometry_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run the odometry over the sequence; results are written even if the run ends early.

    Returns:
        0, or 128 and the number of the signal that ended it: Ctrl-C, SIGTERM or SIGHUP.

    Raises:
        NoPoseError: no pose was measured; the files are written nevertheless.
    """
    from loftr_ros.interruption import Interruption
    from loftr_ros.odometry.config import OdometryConfig
    from loftr_ros.odometry.images.working_size import at_working_size
    from loftr_ros.odometry.scale.metric_odometry import MetricOdometry
    from loftr_ros.reports.live_trajectory import LiveTrajectory
    from loftr_ros.reports.run_bag import recording_run
    from loftr_ros.reports.run_log import REPORT_FILE, RESULT_FILES, FrameRecord, RunLog
    from loftr_ros.reports.worst_frames import WorstFrames

    source = open_source(args, args.max_pixels)
    config = OdometryConfig(mode=args.mode, **odometry_settings(args))
    sequence = source.sequence
    wheels = _wheels(args, sequence)
    make_folder(args.output, *RESULT_FILES)
    source.print_summary()
    source.print_remarks()
    matcher = _matcher(args)
    odometry = MetricOdometry(matcher, config, wheels)
    records: list[FrameRecord] = []
    worst, live = WorstFrames(), LiveTrajectory(args.output)
    skipped: list[str] = []
    decoded = iter(sequence) if args.strict else sequence.readable(skipped)
    frames = (at_working_size(frame, args.max_pixels) for frame in decoded)
    with Interruption() as interruption:
        try:
            with recording_run(args.bag) as bag:
                for frame, estimate in _estimates(odometry, sequence, frames, not args.no_progress):
                    worst.add(len(records), frame, estimate)
                    records.append(FrameRecord.of(estimate))
                    live.add(estimate)
                    if bag is not None:
                        bag.add(estimate)
                    if interruption.signal:
                        break
        finally:
            print_skipped(skipped)
            if records:
                settings = {**_settings(args, matcher, config, source), "skipped": skipped}
                settings["worst_frames"] = worst.write(args.output)
                log = RunLog(sequence.name, settings, records, sequence.ground_truth, sequence.ground_truth_fault)
                for warning in log.input_warnings.values():
                    print_remark("warning", warning)
                _print_summary(log.write(args.output), args.output)
            live.remove()
    if interruption.signal:
        print_remark("note", f"interrupted after {len(records)} of {len(sequence)} frames")
        return 128 + interruption.signal
    if reason := log.why_no_pose():
        raise NoPoseError(f"{reason}; {args.output / REPORT_FILE} has the reason for each frame.")
    return 0


def _matcher(args: argparse.Namespace) -> LoftrMatcher | MaskedMatcher:
    from loftr_ros.ignore_mask import MaskedMatcher
    from loftr_ros.loftr.runtime.budget import ComputeBudget
    from loftr_ros.loftr.runtime.matcher import load_matcher

    matcher = load_matcher(
        args.checkpoint, args.device, ComputeBudget(args.max_pixels, args.max_matches), args.precision
    )
    return MaskedMatcher(matcher, args.mask_image) if args.mask_image else matcher


def _wheels(args: argparse.Namespace, sequence: Sequence) -> PositionBuffer | None:
    """Read the wheel odometry, if it is the scale source."""
    from loftr_ros.evaluation.trajectory import read_tum
    from loftr_ros.odometry.scale.wheel_scale import PositionBuffer

    if (args.scale_source == "odometry") != (args.wheel_odometry is not None):
        raise RunError("--scale-source odometry and --wheel-odometry FILE require each other.")
    if args.wheel_odometry is None:
        return None
    trajectory = read_tum(args.wheel_odometry)
    first, last = sequence.entries[0].stamp_ns, sequence.entries[-1].stamp_ns
    if trajectory.stamps_ns[-1] < first or trajectory.stamps_ns[0] > last:
        raise RunError(
            f"{args.wheel_odometry} does not overlap {args.source} in time: check that both use the same clock."
        )
    wheels = PositionBuffer(len(trajectory))
    for stamp_ns, position in zip(trajectory.stamps_ns.tolist(), trajectory.positions, strict=True):
        wheels.add(stamp_ns, position)
    return wheels


def _estimates(
    odometry: MetricOdometry[Any], sequence: Sequence, frames: Iterator[Frame], show: bool
) -> Iterator[tuple[Frame, OdometryEstimate]]:
    """Process all frames with a progress bar."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True), disable=not show) as bar:
        task = bar.add_task(escape(sequence.name), total=len(sequence), note="")
        for frame in frames:
            estimate = odometry.process(frame)
            bar.update(task, advance=1, note=f"{estimate.state.value}, {estimate.num_inliers} inliers")
            yield frame, estimate


def _settings(args: argparse.Namespace, matcher: Any, config: Any, source: Source) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "command": shlex.join(["loftr-ros", *sys.argv[1:]]),
        "source": str(args.source),
        "frames_in_source": len(source.sequence),
        "calibration_warnings": source.warnings,
        "notes": source.notes,
        "mode": args.mode,
        "stride": args.stride,
        "max_pixels": args.max_pixels,
        "max_matches": args.max_matches,
        "precision": args.precision,
        "mask_image": str(args.mask_image) if args.mask_image else None,
        "checkpoint": matcher.checkpoint,
        "device": str(matcher.device),
        "config": asdict(config),
    }


def _print_summary(summary: dict[str, Any], output: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from loftr_ros.odometry.states import Degeneracy
    from loftr_ros.reports.run_log import focal_length_test

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
        table.add_row("ATE", "unknown: the ground truth covers fewer than two of these frames")
    elif summary["ground_truth_fault"]:
        table.add_row("ATE", "unknown: the ground truth cannot be used, see the warning")
    table.add_row("results", escape(str(output)))
    Console(soft_wrap=True).print(table)
