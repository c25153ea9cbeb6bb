"""Results of `loftr-ros evaluate`: table, JSON and plots, with warnings about likely faults of the input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loftr_ros.evaluation.ate import MIN_PATH_M, Alignment, absolute_errors_m, align
from loftr_ros.evaluation.plotting import plot_axes
from loftr_ros.evaluation.rpe import (
    DeltaUnit,
    Drift,
    RelativePoseErrors,
    SegmentDrift,
    Statistics,
    motion_errors,
    relative_motions,
    relative_pose_errors,
    segment_drift,
)
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.geometry import se3
from loftr_ros.output import writing

ALIGNMENTS: Mapping[Alignment, str] = {
    "se3": "rotation and translation by least squares (SE(3))",
    "sim3": "rotation, translation and scale by least squares (Sim(3))",
    "origin": "to the first pose",
    "none": "none",
}


# A scale error of metric odometry, calibration of the baseline included, is smaller; and a wrong scale explains at
# least this share of the ATE, unlike noise, such as that of a camera at rest.
MAX_SCALE, MAX_RESIDUAL = 1.1, 0.5
# With so small an ATE the first rotation is accurate to far less than the 30 degrees that this end error would take.
MAX_ATE_PERCENT, MAX_END_ERROR = 3.0, 0.5  # of the path, of the extent of the positions
# Share of the poses to compare below which to warn; ATE of a convention that explains an error, relative to the ATE.
MIN_COMPARED_SHARE, MAX_CONVENTION_ATE = 0.5, 0.3
# Error of the steps, relative to their length, above which they are compared with those of a turned frame: 6 degrees.
MIN_TURNED_ERROR = 0.1


@dataclass(frozen=True)
class EndError:
    """Error of the motion from the first to the last pose, independent of the alignment."""

    translation_m: float
    translation_percent: float
    rotation_deg: float


@dataclass(frozen=True)
class Evaluation:
    """Results, with the fields of the JSON.

    Attributes:
        poses: number of poses compared.
        path_m: length of the ground truth path.
        alignment: kind of alignment.
        scale: scale factor applied to the estimate; 1 unless aligned with scale.
        scale_error_percent: scale - 1; positive if the estimate is too short.
        ate_m: statistics of the position errors after alignment.
        ate_percent: ATE (RMSE) in percent of the path.
        rpe: relative pose errors over the selected delta.
        end: error of the motion from the first to the last pose.
        drift: drift by segment; None if the path is too short.
    """

    poses: int
    path_m: float
    alignment: Alignment
    scale: float
    scale_error_percent: float
    ate_m: Statistics
    ate_percent: float
    rpe: RelativePoseErrors
    end: EndError
    drift: Drift | None

    @staticmethod
    def of(
        estimate: Trajectory, truth: Trajectory, alignment: Alignment, scale: float, delta: float, unit: DeltaUnit
    ) -> Evaluation:
        """Evaluate N poses against N ground truth poses.

        Args:
            estimate: aligned estimate.
            truth: associated ground truth.
            alignment: kind of alignment.
            scale: scale factor of the alignment.
            delta: delta of the RPE, see `relative_pose_errors`.
            unit: unit of delta.

        Raises:
            TrajectoryError: delta does not fit the trajectory.
        """
        ate = Statistics.of(absolute_errors_m(estimate, truth))
        end_m, end_deg = motion_errors(estimate, truth, np.array([0]), np.array([-1]))
        percent = 100.0 / max(truth.length, 1e-9)
        return Evaluation(
            poses=len(truth),
            path_m=truth.length,
            alignment=alignment,
            scale=scale,
            scale_error_percent=100.0 * (scale - 1.0),
            ate_m=ate,
            ate_percent=ate.rmse * percent,
            rpe=relative_pose_errors(estimate, truth, delta, unit),
            end=EndError(float(end_m[0]), float(end_m[0]) * percent, float(end_deg[0])),
            drift=segment_drift(estimate, truth),
        )

    def print(self, results: Path) -> None:
        """Print the results as a table."""
        table = Table(show_header=False, box=None)
        for row in self._rows():
            table.add_row(*row)
        table.add_row("results", escape(str(results)))
        Console(soft_wrap=True).print(table)

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "compared", f"{self.poses} poses, path {self.path_m:.2f} m"
        yield "alignment", ALIGNMENTS[self.alignment]
        if self.alignment == "sim3":
            yield "scale", f"{self.scale:.4f} applied to the estimate, an error of {self.scale_error_percent:+.2f} %"
        yield "ATE", _format_statistics(self.ate_m, " m")
        yield "", f"{self.ate_percent:.2f} % of the path (rmse)"
        delta = (
            "one frame" if (self.rpe.delta, self.rpe.unit) == (1, "frames") else f"{self.rpe.delta:g} {self.rpe.unit}"
        )
        yield f"RPE over {delta}", _format_statistics(self.rpe.translation_m, " m")
        yield "", _format_statistics(self.rpe.rotation_deg, "°")
        end = self.end
        yield "end", f"{end.translation_m:.3f} m, {end.translation_percent:.2f} % of the path, {end.rotation_deg:.3f}°"
        if self.drift is None:
            yield "drift", "unknown: the path is too short for a segment"
            return
        for part in self.drift.by_length:
            yield f"drift over {part.length_m:g} m", _format_drift(part)
        yield "drift over all", _format_drift(self.drift)


def warnings(evaluation: Evaluation, estimate: Trajectory, truth: Trajectory, poses: int | None = None) -> list[str]:
    """Return warnings about faults of the input files that the errors indicate.

    Args:
        evaluation: the results.
        estimate: N poses, aligned.
        truth: N ground truth poses.
        poses: of the estimate before association; None: N.
    """
    found = []
    if poses and len(truth) < MIN_COMPARED_SHARE * poses:
        found.append(
            f"only {len(truth)} of {poses} poses of the estimate have a ground truth pose at their time: check that "
            "both use the same clock and unit of time, or set --max-difference"
        )
    # A scale by least squares shrinks the estimate to a point, without any error.
    if truth.length < MIN_PATH_M and (estimate.length > MIN_PATH_M or evaluation.alignment == "sim3"):
        return [*found, "the ground truth does not move: check its positions"]
    if other := _other_convention(evaluation, estimate, truth):
        found.append(f"the estimate agrees far better with the ground truth {other}")
        return found
    extent_m = float(np.linalg.norm(np.ptp(truth.positions, axis=0)))
    if evaluation.alignment == "se3" and np.ptp(estimate.positions, axis=0).any():
        scaled = align(estimate.positions, truth.positions, with_scale=True)
        residual_m = np.linalg.norm(scaled.apply(estimate.positions) - truth.positions) / len(truth) ** 0.5
        if not 1 / MAX_SCALE < scaled.scale < MAX_SCALE and residual_m < MAX_RESIDUAL * evaluation.ate_m.rmse:
            found.append(
                f"the estimate would fit far better with a scale of {scaled.scale:.3g}: use --align sim3 for a single "
                "camera, whose scale is unknown, and check that both files are in meters"
            )
    if _is_mirrored(estimate, truth):
        found.append(
            "the positions agree with the orientations far better if an axis of the ground truth is reversed: it is "
            "mirrored, as in exports with left-handed axes"
        )
        return found
    in_other_frame = evaluation.end.translation_m > MAX_END_ERROR * extent_m or _is_turned(estimate, truth)
    if evaluation.ate_percent < MAX_ATE_PERCENT and in_other_frame:
        found.append(
            "the positions agree, but the motion relative to the first pose does not: the quaternions of one file are "
            "in another order (TUM: qx qy qz qw), or its poses are of another frame (body instead of camera)"
        )
    return found


def _is_turned(estimate: Trajectory, truth: Trajectory) -> bool:
    """Return whether a constant rotation between the moving frames explains the errors of the steps."""
    starts = np.arange(len(truth) - 1)
    steps, true_steps = (relative_motions(t.poses, starts, starts + 1)[:, :3, 3] for t in (estimate, truth))
    R = se3.nearest_rotation(true_steps.T @ steps)
    error, turned, length = (
        float(np.linalg.norm(e)) for e in (steps - true_steps, steps @ R.T - true_steps, true_steps)
    )
    return error > MIN_TURNED_ERROR * length and turned < MAX_CONVENTION_ATE * error


def _is_mirrored(estimate: Trajectory, truth: Trajectory) -> bool:
    """Return whether positions fit the alignment of the orientations only with one axis of the truth reversed."""
    moved, positions = (t.positions - t.positions.mean(axis=0) for t in (estimate, truth))
    turns = truth.poses[:, :3, :3] @ np.swapaxes(estimate.poses[:, :3, :3], 1, 2)
    moved = moved @ se3.nearest_rotation(turns.sum(axis=0)).T
    moved *= np.linalg.norm(positions) / max(float(np.linalg.norm(moved)), 1e-12)  # the scale may be unknown
    reversed_axes = (positions * (1.0 - 2.0 * axis) for axis in np.eye(3))
    mirrored = min(float(np.linalg.norm(moved - other)) for other in reversed_axes)
    error = float(np.linalg.norm(moved - positions))
    return error > MIN_TURNED_ERROR * float(np.linalg.norm(positions)) and mirrored < MAX_CONVENTION_ATE * error


def _other_convention(evaluation: Evaluation, estimate: Trajectory, truth: Trajectory) -> str | None:
    """Return a clause on a convention of the ground truth that explains the estimate far better; None if none does."""
    if evaluation.ate_percent < MAX_ATE_PERCENT or not np.ptp(truth.positions, axis=0).any():
        return None
    inverse = Trajectory(truth.stamps_ns, np.asarray(np.linalg.inv(truth.poses), np.float64))
    backwards = Trajectory(truth.stamps_ns, truth.poses[::-1])
    conventions = {
        "inverted: its poses are of the world in the camera, not of the camera in the world": inverse,
        "backwards: one of both is in the reverse order of time": backwards,
    }
    with_scale = evaluation.alignment == "sim3"
    for text, other in conventions.items():
        if other.length < MIN_PATH_M:  # a circle around the origin
            continue
        moved = align(estimate.positions, other.positions, with_scale).apply(estimate.positions)
        ate_m = float(np.sqrt(((moved - other.positions) ** 2).sum(axis=1).mean()))
        if ate_m < MAX_CONVENTION_ATE * evaluation.ate_m.rmse and 100 * ate_m < MAX_ATE_PERCENT * other.length:
            return text
    return None


def write_evaluation(
    stem: Path, evaluation: Evaluation, inputs: Mapping[str, Any], estimate: Trajectory, truth: Trajectory
) -> None:
    """Write STEM.json and STEM.png.

    Args:
        stem: path without suffix.
        evaluation: the results.
        inputs: files and options of the comparison, stored with the results.
        estimate: N poses, aligned.
        truth: N ground truth poses.

    Raises:
        OutputError: a file cannot be written.
    """
    title = f"{inputs['run']}, alignment {evaluation.alignment}, ATE {evaluation.ate_m.rmse:.3f} m"
    with writing(stem.with_name(f"{stem.name}.json")) as path:
        path.write_text(json.dumps({**inputs, **asdict(evaluation)}, indent=1) + "\n")
    plot_axes(stem.with_name(f"{stem.name}.png"), estimate, truth, title)


def _format_statistics(errors: Statistics, unit: str) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in asdict(errors).items()) + unit


def _format_drift(drift: SegmentDrift | Drift) -> str:
    per_meter = f"{drift.translation_percent:.2f} %, {drift.rotation_deg_per_m:.4f}°/m"
    return f"{per_meter} ({drift.segments} segments)"
