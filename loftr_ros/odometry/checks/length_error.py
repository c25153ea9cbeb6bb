"""Covariance of errors common to all motions, from a detected fault and from the calibration itself.

Independent errors of single motions accumulate like a random walk. A common scale error accumulates linearly: the error
of a position is proportional to its distance from the origin, for any number of motions.

A relative error e of the focal length scales lengths (by the disparity, or sideways by the depth) and angles of
rotation by up to 1 + e, and an error e f of the principal point turns all directions of translation and all axes of
rotation by e. So a position at p has the error e |p| in any direction, a rotation by w the error e |w|, and an error of
the heading displaces all later positions.
"""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3

# Rotation error, radians, per wrongly explained parallax: depth images of another camera caused 4 degrees over a
# distance of three times the depth, at a scale error of 30 % (corridor).
_ROTATION_SHARE = 0.1


class LengthError:
    """Accumulated standard deviations of position and rotation from scale errors."""

    def __init__(self, calibration_sigma: float = 0.0) -> None:
        """Start at the origin, with the relative standard deviation of the calibration."""
        self._calibration_sigma = calibration_sigma
        self._sigma = 0.0
        self._position_sigma, self._rotation_sigma = 0.0, 0.0
        self._T, self._rotation, self._displacement = np.eye(4), np.zeros(3), np.zeros(3)

    def update(self, sigma: float, T_odom_camera: Array, distance: float) -> None:
        """Update at a frame. The accumulated error remains after its cause has ended.

        Args:
            sigma: relative standard deviation of the scale from a detected fault; 0: no fault.
            T_odom_camera: (4, 4) pose, units.
            distance: median distance of the points, units.
        """
        self._sigma = sigma
        if sigma > 0:
            self._position_sigma = sigma * float(np.linalg.norm(T_odom_camera[:3, 3]))
            self._rotation_sigma = min(_ROTATION_SHARE * self._position_sigma / max(distance, 1e-9), np.pi)
        self._displacement = self._displacement + np.cross(self._rotation, T_odom_camera[:3, 3] - self._T[:3, 3])
        self._rotation = self._rotation + se3.log_rotation(T_odom_camera[:3, :3] @ self._T[:3, :3].T)
        self._T = T_odom_camera

    @property
    def pose_covariance(self) -> Array:
        """(6, 6) covariance to add to that of a pose in odom; isotropic, as the direction is affected, too."""
        position = self._T[:3, 3]
        squared = position @ position + self._displacement @ self._displacement
        rotation_sigma = min(self._calibration_sigma * float(np.linalg.norm(self._rotation)), np.pi)
        of_position = self._calibration_sigma**2 * squared + self._position_sigma**2
        return np.diag(np.repeat([of_position, rotation_sigma**2 + self._rotation_sigma**2], 3))

    def twist_covariance(self, twist: Array) -> Array:
        """Return the (6, 6) covariance to add to that of a (6,) twist."""
        speed, angular_speed = np.linalg.norm(twist.reshape(2, 3), axis=1)
        position = float(np.hypot(self._sigma, self._calibration_sigma) * speed)
        return np.diag(np.repeat([position, self._calibration_sigma * float(angular_speed)], 3) ** 2)
