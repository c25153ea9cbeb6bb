"""Absolute trajectory error: association by time, alignment and comparison with ground truth.

The ATE is that of Sturm et al., "A Benchmark for the Evaluation of RGB-D SLAM Systems" (IROS 2012); the alignment is
Umeyama's, "Least-squares estimation of transformation parameters between two point patterns" (PAMI 1991).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from loftr_ros.evaluation.rpe import motion_errors, relative_motions
from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError
from loftr_ros.odometry.geometry import se3

MIN_PATH_M = 1e-3  # of a ground truth that moves
Alignment = Literal["se3", "sim3", "origin", "none"]


@dataclass(frozen=True)
class Similarity:
    """x -> scale * R x + t."""

    R: NDArray[np.float64]
    t: NDArray[np.float64]
    scale: float

    def apply(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transform (N, 3) points."""
        return np.asarray(self.scale * points @ self.R.T + self.t)

    def move(self, trajectory: Trajectory) -> Trajectory:
        """Transform positions and orientations."""
        poses = trajectory.poses.copy()
        poses[:, :3, :3] = self.R @ poses[:, :3, :3]
        poses[:, :3, 3] = self.apply(trajectory.positions)
        return Trajectory(trajectory.stamps_ns, poses)


@dataclass(frozen=True)
class TrajectoryErrors:
    """Errors of an estimated trajectory.

    Errors per frame are those of consecutive relative poses; the direction error uses frames that moved more than 1 mm.

    Attributes:
        poses: number of poses compared.
        path_m: length of the ground truth path, meters.
        scaled: whether the alignment includes a scale (Sim(3), for a single camera) or not (SE(3)).
        ate_m, ate_percent: RMSE of the positions after alignment, meters and percent of the path.
        end_m, end_percent: error of the motion from the first to the last pose, not aligned (scaled if `scaled`).
        rotation_mean_deg, rotation_median_deg: rotation error per frame, degrees.
        translation_mean_m: translation error per frame, meters (scaled if `scaled`).
        direction_median_deg: angle between estimated and true translation per frame, degrees.
    """

    poses: int
    path_m: float
    scaled: bool
    ate_m: float
    ate_percent: float
    end_m: float
    end_percent: float
    rotation_mean_deg: float
    rotation_median_deg: float
    translation_mean_m: float
    direction_median_deg: float


def associate(estimate: Trajectory, truth: Trajectory, max_difference_s: float = 0.02) -> tuple[Trajectory, Trajectory]:
    """Pair each estimated pose with the ground truth pose nearest in time; drop poses without one.

    Raises:
        TrajectoryError: fewer than two pairs.
    """
    nearest, paired = _nearest(truth.stamps_ns, estimate.stamps_ns, 1e9 * max_difference_s)
    if paired.sum() < 2:
        raise TrajectoryError(
            f"Fewer than two poses of the estimate are within {max_difference_s} s of the ground truth: "
            "check that both use the same clock."
        )
    nearest = nearest[paired]
    return (
        Trajectory(estimate.stamps_ns[paired], estimate.poses[paired]),
        Trajectory(truth.stamps_ns[nearest], truth.poses[nearest]),
    )


def align(points: NDArray[np.float64], onto: NDArray[np.float64], with_scale: bool) -> Similarity:
    """Compute the least-squares similarity of (N, 3) points onto others (Umeyama 1991, equations 40-42)."""
    mean, mean_onto = points.mean(axis=0), onto.mean(axis=0)
    U, singular, Vt = np.linalg.svd((onto - mean_onto).T @ (points - mean) / len(points))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    R = (U * sign) @ Vt
    variance = ((points - mean) ** 2).sum(axis=1).mean()
    scale = float(singular @ sign / variance) if with_scale and variance > 0 else 1.0
    return Similarity(R, mean_onto - scale * R @ mean, scale)


def align_to(estimate: Trajectory, truth: Trajectory, alignment: Alignment) -> Similarity:
    """Compute the alignment of an estimate to the associated ground truth.

    Args:
        estimate: N poses.
        truth: N associated ground truth poses.
        alignment: least squares over all positions without scale ("se3") or with scale ("sim3"), equal first poses
            ("origin"), or none ("none").
    """
    if alignment == "none":
        return Similarity(np.eye(3), np.zeros(3), 1.0)
    if alignment == "origin":
        T = truth.poses[0] @ se3.inverse(estimate.poses[0])
        return Similarity(T[:3, :3], T[:3, 3], 1.0)
    return align(estimate.positions, truth.positions, with_scale=alignment == "sim3")


def in_first_camera(
    estimate: Trajectory, truth: Trajectory | None, metric: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return positions of both in the frame of the first ground truth camera, or of the first estimated one without it.

    Args:
        estimate: N poses; aligned to the ground truth, with scale unless `metric`.
        truth: ground truth, or None.
        metric: whether the estimate is in meters.

    Returns:
        (N, 3), and (M, 3) of the M poses that have ground truth.

    Raises:
        TrajectoryError: fewer than two poses have ground truth.
    """
    if truth is None:
        return estimate.positions, None
    paired, paired_truth = associate(estimate, truth)
    similarity = align(paired.positions, paired_truth.positions, with_scale=not metric)
    T_camera_world = np.linalg.inv(paired_truth.poses[0])
    points = similarity.apply(estimate.positions)
    return transformed(T_camera_world, points), transformed(T_camera_world, paired_truth.positions)


def transformed(T: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, 3) points moved by a (4, 4) transform."""
    return np.asarray(points @ T[:3, :3].T + T[:3, 3])


def absolute_errors_m(estimate: Trajectory, truth: Trajectory) -> NDArray[np.float64]:
    """(N,) position errors of an aligned estimate; their RMSE is the ATE."""
    distances: NDArray[np.float64] = np.linalg.norm(estimate.positions - truth.positions, axis=1)
    return distances


def evaluate(
    estimate: Trajectory, truth: Trajectory, with_scale: bool, max_difference_s: float = 0.02
) -> TrajectoryErrors:
    """Evaluate an estimate against ground truth; `with_scale` if its scale is unknown (single camera).

    Raises:
        TrajectoryError: see `associate`; or the ground truth does not move, so it has no scale.
    """
    estimate, truth = associate(estimate, truth, max_difference_s)
    if with_scale and truth.length < MIN_PATH_M:  # the estimate would shrink to a point, without any error
        raise TrajectoryError("The ground truth does not move, so it has no scale to compare with.")
    estimate = align_to(estimate, truth, "sim3" if with_scale else "se3").move(estimate)
    ate = float(np.sqrt((absolute_errors_m(estimate, truth) ** 2).mean()))
    starts, ends = np.arange(len(truth) - 1), np.arange(1, len(truth))
    translation, rotation = motion_errors(estimate, truth, starts, ends)
    steps, true_steps = (relative_motions(t.poses, starts, ends)[:, :3, 3] for t in (estimate, truth))
    moved = np.linalg.norm(true_steps, axis=1) > 1e-3
    end_m = float(motion_errors(estimate, truth, starts[:1], ends[-1:])[0][0])
    percent = 100.0 / max(truth.length, 1e-9)
    return TrajectoryErrors(
        poses=len(estimate),
        path_m=truth.length,
        scaled=with_scale,
        ate_m=ate,
        ate_percent=ate * percent,
        end_m=end_m,
        end_percent=end_m * percent,
        rotation_mean_deg=float(rotation.mean()),
        rotation_median_deg=float(np.median(rotation)),
        translation_mean_m=float(translation.mean()),
        direction_median_deg=float(np.median(_angle_deg(steps, true_steps)[moved])) if moved.any() else 0.0,
    )


def _nearest(
    among: NDArray[np.int64], stamps: NDArray[np.int64], max_difference: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(N,) index of the stamp in `among` (increasing) nearest to each of `stamps`, and whether it is near enough."""
    if len(among) == 0:
        return np.zeros(len(stamps), np.int64), np.zeros(len(stamps), bool)
    after = np.clip(np.searchsorted(among, stamps), 0, len(among) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(among[before] - stamps) < np.abs(among[after] - stamps), before, after)
    return nearest, np.asarray(np.abs(among[nearest] - stamps) <= max_difference)


def _angle_deg(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) angles between (N, 3) vectors."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(axis=1) / np.maximum(norms, 1e-12)
    angle: NDArray[np.float64] = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return angle
