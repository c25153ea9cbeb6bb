"""A run of the odometry over one sequence: reads, estimates, writes the results."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

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

    from loftr_ros.ignore_mask import MaskedMatcher
    from loftr_ros.interruption import Interruption
    from loftr_ros.loftr.runtime.matcher import LoftrMatcher
    from loftr_ros.odometry.config import OdometryConfig
    from loftr_ros.odometry.estimate import OdometryEstimate
    from loftr_ros.odometry.images.frame import Frame
    from loftr_ros.odometry.scale.metric_odometry import MetricOdometry
    from loftr_ros.odometry.scale.wheel_scale import PositionBuffer
    from loftr_ros.reports.observers import Outputs
    from loftr_ros.reports.run_log import FrameRecord, RunLog
    from loftr_ros.reports.worst_frames import WorstFrames
    from loftr_ros.runs.batch import Counter
    from loftr_ros.runs.journal import Journal
    from loftr_ros.runs.progress import ProgressBar
    from loftr_ros.runs.resumption import Seam
    from loftr_ros.sequences.sequence import Sequence


class RunError(LoftrRosError):
    """Incompatible options, or wheel odometry that does not overlap the sequence in time."""


def run_one(args: argparse.Namespace, progress: ProgressBar | Counter | None = None) -> int:
    """Run the odometry over the sequence; results are written even if the run ends early.

    Args:
        args: options; `source` is the recording.
        progress: of the frames; None: a bar on the terminal, unless --no-progress.

    Returns:
        0, or 128 and the number of the signal that ended it: Ctrl-C, SIGTERM or SIGHUP.

    Raises:
        NoPoseError: no pose was measured; the files are written nevertheless.
    """
    from loftr_ros.interruption import Interruption
    from loftr_ros.odometry.config import OdometryConfig
    from loftr_ros.odometry.scale.metric_odometry import MetricOdometry
    from loftr_ros.reports.observers import Outputs
    from loftr_ros.reports.run_log import RESULT_FILES
    from loftr_ros.runs.journal import Journal
    from loftr_ros.runs.places import LATEST, given_run, new_folder
    from loftr_ros.runs.progress import ProgressBar
    from loftr_ros.runs.resumption import FROM_THE_START, start_of

    source = open_source(args, args.max_pixels)
    config = OdometryConfig(mode=args.mode, **odometry_settings(args))
    wheels = _wheels(args, source.sequence)
    outputs = Outputs(args.bag, args.video, args.rerun, args.view)
    outputs.check()
    output = args.output or (given_run(Path(LATEST)) if args.resume else None)
    if output is not None:
        make_folder(output, *RESULT_FILES)
    source.print_summary()
    source.print_remarks()
    identity = _identity(args, source, config)
    start: tuple[Journal, Seam | None] = (Journal(identity), None)
    if args.resume and output is not None:
        found = start_of(output, identity, single_camera=args.mode == "mono")
        if found is None:
            print_remark("note", f"{output} is finished: nothing to resume")
            return 0
        start = found
        print_remark("note", start[1].note if start[1] else FROM_THE_START)
        if start[1]:
            start[1].check_readable(source.sequence)
    matcher = _matcher(args)
    run = _Run(
        args=args,
        source=source,
        settings=_settings(args, matcher, config, source),
        odometry=MetricOdometry(matcher, config, wheels),
        output=output or new_folder(source.sequence.name),
        outputs=outputs,
        journal=start[0],
        seam=start[1],
    )
    with Interruption() as interruption, progress or ProgressBar(not args.no_progress) as bar:
        return run.run(interruption, bar)


@dataclass(frozen=True)
class _Run:
    """A run that is ready to start, or to go on at a seam."""

    args: argparse.Namespace
    source: Source
    settings: dict[str, Any]
    odometry: MetricOdometry[Any]
    output: Path
    outputs: Outputs
    journal: Journal
    seam: Seam | None

    def run(self, interruption: Interruption, bar: ProgressBar | Counter) -> int:
        """Process all frames and write the results. Returns and raises what `run_one` does."""
        from loftr_ros.reports.live_trajectory import LiveTrajectory
        from loftr_ros.reports.observers import observing
        from loftr_ros.reports.run_log import TRAJECTORY_FILE, FrameRecord
        from loftr_ros.reports.worst_frames import WorstFrames
        from loftr_ros.runs.journal import JournalWriter

        records, sequence = list(self.journal.records), self.source.sequence
        first, skipped = len(records), list[str]()
        worst, live = WorstFrames(), LiveTrajectory(self.output / TRAJECTORY_FILE, self.journal.trajectory)
        bar.start(sequence.name, len(sequence), first)
        began = monotonic()
        log = None
        with JournalWriter(self.output, self.journal) as journal:
            try:
                with observing(self.outputs, sequence, partial(print_remark, "note")) as observers:
                    for frame, estimate in self._estimates(skipped):
                        worst.add(len(records), frame, estimate)
                        records.append(FrameRecord.of(estimate))
                        live.add(estimate.stamp_ns, estimate.T_odom_camera)
                        journal.add(records[-1], estimate.pose_covariance, skipped)
                        for observe in observers:
                            observe(frame, estimate)
                        bar.advance(f"{estimate.state.value}, {estimate.num_inliers} inliers")
                        if interruption.signal:
                            break
            finally:
                print_skipped(skipped)
                if records:
                    rate = (len(records) - first) / max(monotonic() - began, 1e-9)
                    log = self._write(records, skipped, worst, rate)
                live.remove()
            if interruption.signal:
                done = f"interrupted after {len(records)} of {len(sequence)} frames"
                again = "starts it again" if self.args.mode == "mono" else "goes on"
                print_remark("note", f"{done}; the same command with --resume {again}")
                return 128 + interruption.signal
            journal.finish()
        if log and self.args.output is None:
            print("loftr-ros report makes a page about this run")
        if log and (reason := log.why_no_pose()):
            raise NoPoseError(f"{reason}; {self.output / REPORT_FILE} has the reason for each frame.")
        return 0

    def _estimates(self, skipped: list[str]) -> Iterator[tuple[Frame, OdometryEstimate]]:
        """Process the frames, from the seam on."""
        from loftr_ros.odometry.images.working_size import at_working_size

        seam = self.seam
        sequence = seam.rest_of(self.source.sequence) if seam else self.source.sequence
        decoded = iter(sequence) if self.args.strict else sequence.readable(skipped)
        for frame in (at_working_size(frame, self.args.max_pixels) for frame in decoded):
            estimate = self.odometry.process(frame)
            if seam is None:
                yield frame, estimate
            elif frame.stamp_ns > seam.stamp_ns:
                yield frame, seam.moved(estimate)

    def _write(self, records: list[FrameRecord], skipped: list[str], worst: WorstFrames, rate: float) -> RunLog:
        """Write the results and print them."""
        from loftr_ros.reports.run_log import RunLog
        from loftr_ros.runs.tables import print_summary

        sequence, resumed = self.source.sequence, self.journal.resumed_at
        settings = {
            **self.settings,
            "notes": [*self.source.notes, *([self.seam.note] if self.seam else [])],
            "identity": self.journal.identity,
            "resumed_at": resumed,
            "skipped": [*(text for _, text in self.journal.skipped), *skipped],
            "frames_per_second": round(rate, 3),
            "worst_frames": worst.write(self.output),
        }
        log = RunLog(sequence.name, settings, records, sequence.ground_truth, sequence.ground_truth_fault)
        for warning in log.input_warnings.values():
            print_remark("warning", warning)
        print_summary(log.write(self.output), self.output)
        return log


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

    trajectory = read_tum(args.wheel_odometry) if args.wheel_odometry else sequence.wheels
    if (args.scale_source == "odometry") != (trajectory is not None):
        raise RunError(
            "--scale-source odometry and --wheel-odometry FILE, or --topics wheels=TOPIC of a bag, require each other."
        )
    if trajectory is None:
        return None
    first, last = sequence.entries[0].stamp_ns, sequence.entries[-1].stamp_ns
    if trajectory.stamps_ns[-1] < first or trajectory.stamps_ns[0] > last:
        raise RunError(
            f"{args.wheel_odometry or args.topics['wheels']} does not overlap {args.source} in time: check that both "
            "use the same clock."
        )
    wheels = PositionBuffer(len(trajectory))
    for stamp_ns, position in zip(trajectory.stamps_ns.tolist(), trajectory.positions, strict=True):
        wheels.add(stamp_ns, position)
    return wheels


def _identity(args: argparse.Namespace, source: Source, config: OdometryConfig) -> dict[str, Any]:
    """Return what decides the estimates, as JSON values: a run may go on only with the same."""
    import json
    from dataclasses import asdict

    from loftr_ros import __version__

    sequence = source.sequence
    rig, cameras = sequence.rig, [sequence.camera, *([sequence.rig.right] if sequence.rig else [])]
    stamps = [sequence.entries[0].stamp_ns, sequence.entries[-1].stamp_ns]
    identity: dict[str, Any] = {
        "version of loftr_ros": __version__,
        "sequence": [sequence.name, len(sequence), *stamps],
        "mode": args.mode,
        "stride": args.stride,
        "calibration": [one.K.tolist() + one.distortion.tolist() for one in cameras],
        "baseline": rig.T_left_right.tolist() if rig else None,
        "unit of depth": sequence.depth_units_per_meter,
        "topics": args.topics,
        "checkpoint": args.checkpoint,
        "precision": args.precision,
        "max_pixels": args.max_pixels,
        "max_matches": args.max_matches,
        "mask_image": _absolute(args.mask_image),
        "wheel_odometry": _absolute(args.wheel_odometry),
        "configuration": asdict(config),
    }
    return dict(json.loads(json.dumps(identity)))


def _absolute(path: Path | None) -> str | None:
    return str(path.resolve()) if path else None


def _settings(args: argparse.Namespace, matcher: Any, config: OdometryConfig, source: Source) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "command": shlex.join(["loftr-ros", *sys.argv[1:]]),
        "source": str(args.source),
        "frames_in_source": len(source.sequence),
        "calibration_warnings": source.warnings,
        "calibration_guess": source.sequence.calibration_guess,
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
