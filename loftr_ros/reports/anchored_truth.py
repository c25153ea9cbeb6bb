"""Ground truth that starts at the pose of the estimate: as a run goes on, nothing better is known."""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3

_MAX_DIFFERENCE_NS = 20_000_000  # of the stamps of ground truth and frame


class AnchoredTruth:
    """The true path until now, in the frame odom of the estimate.

    Lengths of a single camera have no unit, so the ground truth is scaled to the length of the path so far.
    """

    def __init__(self, truth: Trajectory | None) -> None:
        """Start without a frame."""
        self._truth = truth
        self._true_path: list[Array] = []
        self._T_odom_world: Array | None = None
        self._lengths = np.zeros(2)  # of the path and of the true path, between frames with ground truth
        self._last = np.zeros(3)
        self._metric = False

    def add(self, estimate: OdometryEstimate) -> None:
        """Add the next frame."""
        self._metric = estimate.scale_known
        T_world_camera = self._true_pose(estimate.stamp_ns)
        if T_world_camera is None:
            return
        if self._T_odom_world is None:
            self._T_odom_world = estimate.T_odom_camera @ se3.inverse(T_world_camera)
        position, true = estimate.T_odom_camera[:3, 3], (self._T_odom_world @ T_world_camera)[:3, 3]
        if self._true_path:
            self._lengths += [np.linalg.norm(position - self._last), np.linalg.norm(true - self._true_path[-1])]
        self._last = position
        self._true_path.append(true)

    @property
    def path(self) -> list[Array]:
        """Positions (3,) of the frames that have ground truth."""
        if self._metric or not self._true_path or not self._lengths.all():
            return self._true_path
        start, factor = self._true_path[0], self._lengths[0] / self._lengths[1]
        return [start + factor * (point - start) for point in self._true_path]

    def _true_pose(self, stamp_ns: int) -> Array | None:
        truth = self._truth
        if truth is None:
            return None
        after = min(int(np.searchsorted(truth.stamps_ns, stamp_ns)), len(truth) - 1)
        best = min((max(after - 1, 0), after), key=lambda i: abs(int(truth.stamps_ns[i]) - stamp_ns))
        is_near = abs(int(truth.stamps_ns[best]) - stamp_ns) <= _MAX_DIFFERENCE_NS
        return np.asarray(truth.poses[best]) if is_near else None
