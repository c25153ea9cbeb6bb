"""A run of the odometry over one sequence: reads, estimates, writes the results."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING

from loftr_ros.commands.arguments import odometry_settings
from loftr_ros.commands.sequence_input import (
    Source,
    open_source,
    print_remark,
    print_skipped,
)
from loftr_ros.errors import LoftrRosError, NoPoseError
from loftr_ros.output import REPORT_FILE, make_folder

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


def run_one(args: argparse.Namespace) -> int:
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
    from loftr_ros.reports.run_log import RESULT_FILES, FrameRecord, RunLog
    from loftr_ros.reports.worst_frames import WorstFrames
    from loftr_ros.runs.places import new_folder
    from loftr_ros.runs.tables import print_summary

    source = open_source(args, args.max_pixels)
    config = OdometryConfig(mode=args.mode, **odometry_settings(args))
    sequence = source.sequence
    wheels = _wheels(args, sequence)
    if args.output is not None:
        make_folder(args.output, *RESULT_FILES)
    source.print_summary()
    source.print_remarks()
    matcher = _matcher(args)
    output = args.output or new_folder(sequence.name)
    odometry = MetricOdometry(matcher, config, wheels)
    records: list[FrameRecord] = []
    worst, live = WorstFrames(), LiveTrajectory(output)
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
                settings["worst_frames"] = worst.write(output)
                log = RunLog(sequence.name, settings, records, sequence.ground_truth, sequence.ground_truth_fault)
                for warning in log.input_warnings.values():
                    print_remark("warning", warning)
                print_summary(log.write(output), output)
            live.remove()
    if interruption.signal:
        print_remark("note", f"interrupted after {len(records)} of {len(sequence)} frames")
        return 128 + interruption.signal
    if reason := log.why_no_pose():
        raise NoPoseError(f"{reason}; {output / REPORT_FILE} has the reason for each frame.")
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
