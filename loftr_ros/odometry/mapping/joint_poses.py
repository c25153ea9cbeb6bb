"""Joint distribution of keyframe poses: a revisit corrects all of them, as far as their errors are correlated.

A Kalman filter over the poses (pose SLAM, Ila et al., "Information-Based Compact Pose SLAM", T-RO 2010). Each pose has
seven errors, those of a similarity: the translation, the rotation, and the relative error of the length unit of the
keyframe's depths, which is zero where depth is measured. They are about the origin of odom, not about the camera
(invariant filter, Barrau and Bonnabel, "The Invariant Extended Kalman Filter as a Stable Observer", TAC 2017), so a
keyframe has the errors of its parent and of its own measurement, whatever the poses are. With errors about the camera,
levers that change with a correction leave the measurement of a relative pose a part of the absolute error, which may be
larger by orders of magnitude. To remove a pose is to marginalize it out: its rows and columns are deleted.

There are two covariances. The nominal one is that of the measurements: after a correction, it is that of the filter as
an estimator with its given gain. The cautious one includes the errors that no covariance of a measurement contains, as
of calibration, shutter and registration; gates and gains are computed from it.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.gating import within_mahalanobis_gate

# Number of errors of a pose.
# derived: 3 of the translation, 3 of the rotation, 1 of the length unit.
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
        to_origin = _to_origin(T_odom_camera[:3, 3])[:, :6]
        for joint in (self._nominal, self._cautious):
            joint[slot, slot] = to_origin @ covariance @ to_origin.T

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
        by_measurement = se3.rotation_adjoint(self.poses[parent][:3, :3])
        slot = self._append(self.poses[parent] @ T_parent_child)
        to_origin, own = _to_origin(self.poses[-1][:3, 3]), np.zeros((_DOF, _DOF))
        for joint, noise, unit in (
            (self._nominal, covariance, 0.0),
            (self._cautious, covariance + unmodeled, scale_sigma),
        ):
            own[:6, :6], own[6, 6] = by_measurement @ noise @ by_measurement.T, unit**2
            rows = joint[self._slots[parent]].copy()
            joint[slot], joint[:, slot] = rows, rows.T
            joint[slot, slot] = rows[:, self._slots[parent]] + to_origin @ own @ to_origin.T

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
        slot, to_camera = self._slots[index], _to_camera(self.poses[index][:3, 3])[:6]
        return se3.symmetric(to_camera @ self._nominal[slot, slot] @ to_camera.T)

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
        by_measurement = se3.rotation_adjoint(self.poses[parent][:3, :3])
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
            self.poses[index] = _without_error(self.poses[index], errors[slot])
            self.scales[index] *= float(np.exp(-errors[slot][6]))
        self._cautious -= gain @ by_cautious
        by_nominal = H @ self._nominal
        change = gain @ by_nominal
        self._nominal += gain @ (by_nominal @ H.T + noise) @ gain.T - change - change.T  # Joseph form: for any gain
        return True

    def _innovation_jacobian(self, parent: int, child: int) -> Array:
        """(6, 7 N) of `T_parent @ T_parent_child - T_child` with respect to the errors of all poses."""
        H = np.zeros((6, len(self._nominal)))
        H[:, self._slots[parent]] = to_camera = _to_camera(self.poses[child][:3, 3])[:6]
        H[:, self._slots[child]] -= to_camera
        return H


def _to_camera(position: Array) -> Array:
    """(7, 7) matrix from errors about the origin to those of `se3` at a position, and of the length unit."""
    matrix = np.eye(_DOF)
    matrix[:6, :6] = se3.translation_adjoint(position)
    matrix[:3, 6] = position
    return matrix


def _to_origin(position: Array) -> Array:
    """(7, 7) inverse of `_to_camera`."""
    return _to_camera(-position)


def _without_error(T: Array, error: Array) -> Array:
    """Return a pose without a (7,) error about the origin: the exponential map of Sim(3)."""
    generator = np.zeros((4, 4))
    generator[:3, :3] = se3.skew(error[3:6]) + error[6] * np.eye(3)
    generator[:3, 3] = error[:3]
    similarity = expm(-generator)
    R = similarity[:3, :3] * np.exp(error[6])
    return se3.transform(R @ T[:3, :3], similarity[:3, :3] @ T[:3, 3] + similarity[:3, 3])
