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

    def __init__(self) -> None:
        """Start without poses."""
        self.poses: list[Array] = []
        self.scales: list[float] = []  # corrections of the length units
        self._nominal = self._cautious = np.zeros((0, 0))

    def __len__(self) -> int:
        return len(self.poses)

    def start(self, T_odom_camera: Array, covariance: Array) -> None:
        """Drop all poses and add a first one, with its (6, 6) covariance."""
        self.poses, self.scales = [T_odom_camera], [1.0]
        self._nominal = np.zeros((_DOF, _DOF))
        self._nominal[:6, :6] = covariance
        self._cautious = self._nominal

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
        noise = by_measurement @ covariance @ by_measurement.T
        more = by_measurement @ unmodeled @ by_measurement.T
        parent_slice = self._slice(parent)
        self._nominal = _extended(self._nominal, parent_slice, by_parent, noise, 0.0)
        self._cautious = _extended(self._cautious, parent_slice, by_parent, noise + more, scale_sigma)
        self.poses.append(self.poses[parent] @ T_parent_child)
        self.scales.append(1.0)

    def remove(self, index: int) -> None:
        """Marginalize a pose out."""
        del self.poses[index], self.scales[index]
        kept = np.delete(np.arange(len(self._nominal)), self._slice(index))
        self._nominal, self._cautious = (matrix[np.ix_(kept, kept)] for matrix in (self._nominal, self._cautious))

    def covariance(self, index: int) -> Array:
        """Return the nominal (6, 6) covariance of a pose."""
        return self._nominal[self._slice(index), self._slice(index)][:6, :6]

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
        errors = (gain @ se3.difference(T_measured, T_predicted)).reshape(-1, _DOF)
        self.poses = [se3.retract(T, -error[:6]) for T, error in zip(self.poses, errors, strict=True)]
        self.scales = [scale * float(np.exp(-error[6])) for scale, error in zip(self.scales, errors, strict=True)]
        self._cautious = se3.symmetric(self._cautious - gain @ by_cautious)
        by_nominal = H @ self._nominal  # Joseph form, which holds for any gain
        added = gain @ (by_nominal @ H.T + noise) @ gain.T
        self._nominal = se3.symmetric(self._nominal - gain @ by_nominal - (gain @ by_nominal).T + added)
        return True

    def _innovation_jacobian(self, parent: int, child: int) -> Array:
        """(6, 7 N) of `T_parent @ T_parent_child - T_child` with respect to the errors of all poses."""
        H = np.zeros((6, len(self._nominal)))
        by_parent, _ = _composition(self.poses[parent], se3.inverse(self.poses[parent]) @ self.poses[child])
        H[:, self._slice(parent)] = by_parent[:6]
        H[:, self._slice(child)][:, :6] -= np.eye(6)
        return H

    @staticmethod
    def _slice(index: int) -> slice:
        return slice(_DOF * index, _DOF * (index + 1))


def _composition(T_odom_parent: Array, T_parent_child: Array) -> tuple[Array, Array]:
    """Jacobians of the errors of a composed pose: (7, 7) by those of the parent, (6, 6) by those of the measurement."""
    lever = T_odom_parent[:3, :3] @ T_parent_child[:3, 3]
    by_parent = np.eye(_DOF)
    by_parent[:6, :6] = se3.translation_adjoint(lever)
    by_parent[:3, 6] = lever
    return by_parent, se3.rotation_adjoint(T_odom_parent[:3, :3])


def _extended(joint: Array, parent: slice, by_parent: Array, noise: Array, scale_sigma: float) -> Array:
    """Return a joint covariance with the rows and columns of a child: errors of the parent, and (6, 6) noise."""
    own = np.zeros((_DOF, _DOF))
    own[:6, :6] = noise
    own[6, 6] = scale_sigma**2
    rows = by_parent @ joint[parent]
    corner = rows[:, parent] @ by_parent.T + own
    return se3.symmetric(np.block([[joint, rows.T], [rows, corner]]))
