"""Relative pose error (RPE) over a delta, and drift over path segments as in KITTI odometry.

All functions take an estimate and the associated ground truth, as `ate.associate` returns them. The errors do not
depend on the alignment, except for the scale of an estimate whose scale is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError

DeltaUnit = Literal["frames", "m"]

KITTI_LENGTHS_M = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0)
KITTI_STEP = 10  # frames between the starts of two segments
SHORT_LENGTHS_M = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)

Indices = NDArray[np.intp]
Errors = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Statistics of N errors."""

    rmse: float
    mean: float
    median: float
    max: float

    @staticmethod
    def of(errors: Errors) -> Statistics:
        """Compute the statistics of (N,) errors, N at least 1."""
        rmse = np.sqrt((errors**2).mean())
        return Statistics(float(rmse), float(errors.mean()), float(np.median(errors)), float(errors.max()))


@dataclass(frozen=True)
class RelativePoseErrors:
    """RPE: `pairs` motions over `delta` frames or meters, errors in meters and degrees."""

    delta: float
    unit: DeltaUnit
    pairs: int
    translation_m: Statistics
    rotation_deg: Statistics


@dataclass(frozen=True)
class SegmentDrift:
    """Mean errors over the segments of one length, relative to the distance driven."""

    length_m: float
    segments: int
    translation_percent: float
    rotation_deg_per_m: float


@dataclass(frozen=True)
class Drift:
    """Mean errors over all segments of all lengths, as on the KITTI leaderboard, and by length."""

    segments: int
    translation_percent: float
    rotation_deg_per_m: float
    by_length: tuple[SegmentDrift, ...]


def relative_motions(poses: NDArray[np.float64], starts: Indices, ends: Indices) -> NDArray[np.float64]:
    """Return the (P, 4, 4) motions T_start_end between P pairs of (N, 4, 4) poses, given by (P,) indices."""
    motions: NDArray[np.float64] = np.linalg.inv(poses[starts]) @ poses[ends]
    return motions


def motion_errors(estimate: Trajectory, truth: Trajectory, starts: Indices, ends: Indices) -> tuple[Errors, Errors]:
    """Return the (P,) translation (meters) and rotation (degrees) errors of the motions between P pairs of poses.

    These are the translation length and the rotation angle of E = (Q_i^-1 Q_j)^-1 (P_i^-1 P_j), equation 1
    of Sturm et al., "A Benchmark for the Evaluation of RGB-D SLAM Systems" (IROS 2012).
    """
    motions, true_motions = (relative_motions(t.poses, starts, ends) for t in (estimate, truth))
    translation: Errors = np.linalg.norm(motions[:, :3, 3] - true_motions[:, :3, 3], axis=1)
    difference = np.swapaxes(true_motions[:, :3, :3], 1, 2) @ motions[:, :3, :3]
    return translation, np.degrees(Rotation.from_matrix(difference).magnitude())


def relative_pose_errors(
    estimate: Trajectory, truth: Trajectory, delta: float = 1, unit: DeltaUnit = "frames"
) -> RelativePoseErrors:
    """Compute the RPE over all pairs of poses that are `delta` apart, overlapping pairs included.

    Args:
        estimate: N poses, scaled.
        truth: N ground truth poses.
        delta: distance of a pair: frames, or meters of the ground truth path (to the first pose beyond).
        unit: unit of delta.

    Raises:
        TrajectoryError: delta is not a whole number of frames, or larger than the trajectory.
    """
    if unit == "frames" and (delta < 1 or not float(delta).is_integer()):
        raise TrajectoryError(f"delta is {delta:g} frames; it must be a whole number of at least 1.")
    starts = np.arange(len(truth))
    ends = starts + int(min(delta, len(truth))) if unit == "frames" else _first_beyond(_driven(truth), starts, delta)
    fits = ends < len(truth)
    if not fits.any():
        raise TrajectoryError(
            f"No two poses are {delta:g} {unit} apart: {len(truth)} are compared, on a path of {truth.length:.2f} m; "
            "choose a smaller delta."
        )
    translation, rotation = motion_errors(estimate, truth, starts[fits], ends[fits])
    return RelativePoseErrors(delta, unit, int(fits.sum()), Statistics.of(translation), Statistics.of(rotation))


def segment_drift(estimate: Trajectory, truth: Trajectory) -> Drift | None:
    """Compute the drift by segment as in the development kit of KITTI odometry (Geiger et al., CVPR 2012).

    Segments of 100, 200, ... 800 m start at every 10th frame and end at the first frame beyond that distance along the
    ground truth path. Errors are divided by the nominal length and averaged over all segments.

    Paths shorter than 100 m use lengths of 1, 2, 5, 10, 20 and 50 m that fit and are at least a tenth of the path.
    Their segments start at every frame, and errors are divided by the actual length, which one frame changes
    noticeably.

    Returns:
        None if no length fits.
    """
    lengths = [length for length in KITTI_LENGTHS_M if length < truth.length]
    if lengths:
        return _drift(estimate, truth, lengths, KITTI_STEP, by_nominal_length=True)
    lengths = [length for length in SHORT_LENGTHS_M if truth.length / 10 <= length < truth.length]
    return _drift(estimate, truth, lengths, 1, by_nominal_length=False) if lengths else None


def _drift(
    estimate: Trajectory, truth: Trajectory, lengths: Sequence[float], step: int, by_nominal_length: bool
) -> Drift:
    driven, by_length = _driven(truth), []
    for length in lengths:
        starts = np.arange(0, len(truth), step)
        ends = _first_beyond(driven, starts, length)
        starts, ends = starts[ends < len(truth)], ends[ends < len(truth)]
        translation, rotation = motion_errors(estimate, truth, starts, ends)
        meters = length if by_nominal_length else driven[ends] - driven[starts]
        percent, deg_per_m = 100 * (translation / meters).mean(), (rotation / meters).mean()
        by_length.append(SegmentDrift(length, len(starts), float(percent), float(deg_per_m)))
    weights = [drift.segments for drift in by_length]
    return Drift(
        segments=sum(weights),
        translation_percent=float(np.average([drift.translation_percent for drift in by_length], weights=weights)),
        rotation_deg_per_m=float(np.average([drift.rotation_deg_per_m for drift in by_length], weights=weights)),
        by_length=tuple(by_length),
    )


def _driven(truth: Trajectory) -> NDArray[np.float64]:
    """(N,) distance along the path from the first pose, meters."""
    steps = np.linalg.norm(np.diff(truth.positions, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _first_beyond(driven: NDArray[np.float64], starts: Indices, meters: float) -> Indices:
    """(P,) index of the first pose beyond `meters` along the path from each start; N if there is none."""
    return np.searchsorted(driven, driven[starts] + meters, side="right")
