"""What `loftr-ros evaluate` finds out, as a table for people, JSON for programs, and plots."""

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

from loftr_ros.evaluation.ate import Alignment, absolute_errors_m, align
from loftr_ros.evaluation.plotting import plot_axes
from loftr_ros.evaluation.rpe import (
    DeltaUnit,
    Drift,
    RelativePoseErrors,
    SegmentDrift,
    Statistics,
    motion_errors,
    relative_pose_errors,
    segment_drift,
)
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.output import writing

ALIGNMENTS: Mapping[Alignment, str] = {
    "se3": "rotation and translation by least squares (SE(3))",
    "sim3": "rotation, translation and scale by least squares (Sim(3))",
    "origin": "the first poses made the same",
    "none": "none",
}


# Beyond the errors of metric odometry, the calibration of the baseline included; and the errors that are left with the
# right scale, as a share, which noise such as that of a camera that stands still never falls to.
MAX_SCALE, MAX_REST = 1.1, 0.5
# Where positions fit so well, the first rotation is off by far less than the 30 degrees that this displacement takes.
MAX_ATE_PERCENT, MAX_END_ERROR = 3.0, 0.5  # of the path, of the extent of the positions


@dataclass(frozen=True)
class EndError:
    """Error of the motion from the first to the last pose, whatever the alignment of the positions."""

    translation_m: float
    translation_percent: float
    rotation_deg: float


@dataclass(frozen=True)
class Evaluation:
    """The figures, as they go into the JSON.

    Attributes:
        poses: number of poses compared.
        path_m: length of the true path through them.
        alignment: how the estimate was aligned.
        scale: what the estimate was multiplied by; 1 unless aligned with scale.
        scale_error_percent: how much of itself the estimate lacks; negative if it is too long.
        ate_m: of the distances between aligned and true positions.
        ate_percent: their root mean square in per cent of the path.
        rpe: relative pose errors over the delta asked for.
        end: of the whole.
        drift: by the metre driven; None for a path too short to say.
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
        """Compare N poses with the N true ones.

        Args:
            estimate: aligned.
            truth: pose by pose.
            alignment: how the estimate was aligned, and with what scale.
            scale: see `alignment`.
            delta: of the RPE, see `relative_pose_errors`.
            unit: of delta.

        Raises:
            TrajectoryError: delta does not fit.
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
        """Print a table."""
        table = Table(show_header=False, box=None)
        for row in self._rows():
            table.add_row(*row)
        table.add_row("results", escape(str(results)))
        Console(soft_wrap=True).print(table)

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "compared", f"{self.poses} poses, path {self.path_m:.2f} m"
        yield "alignment", ALIGNMENTS[self.alignment]
        if self.alignment == "sim3":
            yield "scale", f"the estimate times {self.scale:.4f}, an error of {self.scale_error_percent:+.2f} %"
        yield "ATE", _in_words(self.ate_m, " m")
        yield "", f"{self.ate_percent:.2f} % of the path (rmse)"
        delta = (
            "one frame" if (self.rpe.delta, self.rpe.unit) == (1, "frames") else f"{self.rpe.delta:g} {self.rpe.unit}"
        )
        yield f"RPE over {delta}", _in_words(self.rpe.translation_m, " m")
        yield "", _in_words(self.rpe.rotation_deg, "°")
        end = self.end
        yield "end", f"{end.translation_m:.3f} m, {end.translation_percent:.2f} % of the path, {end.rotation_deg:.3f}°"
        if self.drift is None:
            yield "drift", "unknown: the path is too short for a segment"
            return
        for part in self.drift.by_length:
            yield f"drift over {part.length_m:g} m", _drift_in_words(part)
        yield "drift over all", _drift_in_words(self.drift)


def doubts(evaluation: Evaluation, estimate: Trajectory, truth: Trajectory) -> list[str]:
    """Return a sentence for each fault of the files that large errors look like.

    Args:
        evaluation: the figures.
        estimate: N poses, aligned.
        truth: the N true ones.
    """
    found = []
    extent_m = float(np.linalg.norm(np.ptp(truth.positions, axis=0)))
    if evaluation.alignment == "se3" and np.ptp(estimate.positions, axis=0).any():
        scaled = align(estimate.positions, truth.positions, with_scale=True)
        rest_m = np.linalg.norm(scaled.apply(estimate.positions) - truth.positions) / len(truth) ** 0.5
        if not 1 / MAX_SCALE < scaled.scale < MAX_SCALE and rest_m < MAX_REST * evaluation.ate_m.rmse:
            found.append(
                f"the estimate would fit far better times {scaled.scale:.3g}: give --align sim3 if it is of a single "
                "camera, which has no scale, and check that both files are in meters"
            )
    if evaluation.ate_percent < MAX_ATE_PERCENT and evaluation.end.translation_m > MAX_END_ERROR * extent_m:
        found.append(
            "the positions agree, but the motion as seen from the first pose does not: the quaternions of one file are "
            "in another order (TUM has qx qy qz qw), or its poses are of another frame (the body instead of the camera)"
        )
    return found


def write_evaluation(
    stem: Path, evaluation: Evaluation, made_of: Mapping[str, Any], estimate: Trajectory, truth: Trajectory
) -> None:
    """Write STEM.json and STEM.png.

    Args:
        stem: path without suffix.
        evaluation: the figures.
        made_of: what was compared, put before the figures.
        estimate: N poses, aligned.
        truth: the N true ones.

    Raises:
        OutputError: a file cannot be written.
    """
    title = f"{made_of['run']}, alignment {evaluation.alignment}, ATE {evaluation.ate_m.rmse:.3f} m"
    with writing(stem.with_name(f"{stem.name}.json")) as path:
        path.write_text(json.dumps({**made_of, **asdict(evaluation)}, indent=1) + "\n")
    plot_axes(stem.with_name(f"{stem.name}.png"), estimate, truth, title)


def _in_words(errors: Statistics, unit: str) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in asdict(errors).items()) + unit


def _drift_in_words(drift: SegmentDrift | Drift) -> str:
    per_metre = f"{drift.translation_percent:.2f} %, {drift.rotation_deg_per_m:.4f}°/m"
    return f"{per_metre} ({drift.segments} segments)"
