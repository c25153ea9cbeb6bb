"""Joint distribution of keyframe poses: a revisit corrects all of them, as far as their errors are correlated.

A Kalman filter over the poses (pose SLAM, Ila et al., "Information-Based Compact Pose SLAM", T-RO 2010). Each pose has
seven errors: position and rotation as in `se3`, and the relative error of the length unit of the keyframe's depths,
which is zero where depth is measured. To remove a pose is to marginalize it out: its rows and columns are deleted.

There are two covariances. The nominal one is that of the measurements: after a correction, it is that of the filter as
an estimator with its given gain. The cautious one includes the errors that no covariance of a measurement contains, as
of calibration, shutter and registration; gates and gains are computed from it.
"""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.gating import within_mahalanobis_gate

_DOF = 7


class JointPoses:
    """Poses of keyframes in odom, in the order of their addition, and their joint covariance."""

    def __init__(self, capacity: int) -> None:
        """Start without poses.

        Args:
            capacity: largest number of poses at a time.
        """
        self.poses: list[Array] = []
        self.scales: list[float] = []  # corrections of the length units
        self._slots: list[slice] = []  # rows and columns of the poses in the covariances
        self._free = [slice(_DOF * number, _DOF * (number + 1)) for number in range(capacity)]
        self._nominal, self._cautious = (np.zeros((_DOF * capacity, _DOF * capacity)) for _ in range(2))

    def __len__(self) -> int:
        return len(self.poses)

    def start(self, T_odom_camera: Array, covariance: Array) -> None:
        """Drop all poses and add a first one, with its (6, 6) covariance."""
        while self.poses:
            self.remove(len(self) - 1)
        slot = self._append(T_odom_camera)
        for joint in (self._nominal, self._cautious):
            joint[slot, slot][:6, :6] = covariance

    def add(
        self, parent: int, T_parent_child: Array, covariance: Array, unmodeled: Array, scale_sigma: float = 0.0
    ) -> None:
        """Add the pose of a new keyframe, measured relative to another one.

        Args:
            parent: index of the other one.
            T_parent_child, covariance: (4, 4) and (6, 6), in the axes of the parent.
            unmodeled: (6, 6) covariance of the errors outside of the model, likewise.
            scale_sigma: relative standard deviation that the propagation of depth adds to the length unit.
        """
        by_parent, by_measurement = _composition(self.poses[parent], T_parent_child)
        slot = self._append(self.poses[parent] @ T_parent_child)
        own = np.zeros((_DOF, _DOF))
        for joint, noise in ((self._nominal, covariance), (self._cautious, covariance + unmodeled)):
            own[:6, :6] = by_measurement @ noise @ by_measurement.T
            rows = by_parent @ joint[self._slots[parent]]
            joint[slot], joint[:, slot] = rows, rows.T
            joint[slot, slot] = rows[:, self._slots[parent]] @ by_parent.T + own
        self._cautious[slot, slot][6, 6] += scale_sigma**2

    def remove(self, index: int) -> None:
        """Marginalize a pose out."""
        slot = self._slots[index]
        for joint in (self._nominal, self._cautious):
            joint[slot], joint[:, slot] = 0.0, 0.0
        del self.poses[index], self.scales[index], self._slots[index]
        self._free.append(slot)

    def _append(self, T_odom_camera: Array) -> slice:
        """Append a pose, and return its rows and columns, which are zero."""
        self.poses.append(T_odom_camera)
        self.scales.append(1.0)
        self._slots.append(self._free.pop())
        return self._slots[-1]

    def covariance(self, index: int) -> Array:
        """Return the nominal (6, 6) covariance of a pose."""
        slot = self._slots[index]
        return se3.symmetric(self._nominal[slot, slot][:6, :6])

    def relative_covariance(self, parent: int, child: int) -> Array:
        """Return the cautious (6, 6) covariance of the pose of one keyframe relative to another, in the axes of odom.

        The covariance of `T_parent @ T_parent_child - T_child` for an exact measurement of T_parent_child.
        """
        H = self._innovation_jacobian(parent, child)
        return se3.symmetric(H @ self._cautious @ H.T)

    def correct(self, parent: int, child: int, T_parent_child: Array, covariance: Array, unmodeled: Array) -> bool:
        """Correct all poses by a measurement of one keyframe relative to another, if it is within the gate.

        Args:
            parent, child: indices of the keyframes.
            T_parent_child, covariance: the measurement, (4, 4) and (6, 6), in the axes of the parent.
            unmodeled: see `add`.

        Returns:
            Whether the measurement lies within the 99.9 % gate of the joint distribution; else nothing changes.
        """
        _, by_measurement = _composition(self.poses[parent], T_parent_child)
        H = self._innovation_jacobian(parent, child)
        noise, cautious_noise = (by_measurement @ C @ by_measurement.T for C in (covariance, covariance + unmodeled))
        by_cautious = H @ self._cautious
        S = se3.well_conditioned(se3.symmetric(by_cautious @ H.T + cautious_noise))
        T_measured, T_predicted = self.poses[parent] @ T_parent_child, self.poses[child]
        if not within_mahalanobis_gate(T_measured, S, T_predicted, np.zeros((6, 6))):
            return False
        gain = np.linalg.solve(S, by_cautious).T
        errors = gain @ se3.difference(T_measured, T_predicted)
        for index, slot in enumerate(self._slots):
            self.poses[index] = se3.retract(self.poses[index], -errors[slot][:6])
            self.scales[index] *= float(np.exp(-errors[slot][6]))
        self._cautious -= gain @ by_cautious
        by_nominal = H @ self._nominal
        change = gain @ by_nominal
        self._nominal += gain @ (by_nominal @ H.T + noise) @ gain.T - change - change.T  # Joseph form: for any gain
        return True

    def _innovation_jacobian(self, parent: int, child: int) -> Array:
        """(6, 7 N) of `T_parent @ T_parent_child - T_child` with respect to the errors of all poses."""
        H = np.zeros((6, len(self._nominal)))
        by_parent, _ = _composition(self.poses[parent], se3.inverse(self.poses[parent]) @ self.poses[child])
        H[:, self._slots[parent]] = by_parent[:6]
        H[:, self._slots[child]][:, :6] -= np.eye(6)
        return H


def _composition(T_odom_parent: Array, T_parent_child: Array) -> tuple[Array, Array]:
    """Jacobians of the errors of a composed pose: (7, 7) by those of the parent, (6, 6) by those of the measurement."""
    lever = T_odom_parent[:3, :3] @ T_parent_child[:3, 3]
    by_parent = np.eye(_DOF)
    by_parent[:6, :6] = se3.translation_adjoint(lever)
    by_parent[:3, 6] = lever
    return by_parent, se3.rotation_adjoint(T_odom_parent[:3, :3])
