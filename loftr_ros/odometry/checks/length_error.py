"""Covariance of a scale error common to all motions, as from a faulty calibration or depth.

Independent errors of single motions accumulate like a random walk. A common scale error accumulates linearly: the error
of a position is proportional to its distance from the origin, for any number of motions.
"""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array

# Rotation error, radians, per wrongly explained parallax: depth images of another camera caused 4 degrees over a
# distance of three times the depth, at a scale error of 30 % (corridor).
_ROTATION_SHARE = 0.1


class LengthError:
    """Accumulated standard deviations of position and rotation from scale errors."""

    def __init__(self) -> None:
        """Start without errors."""
        self._sigma = 0.0
        self._position_sigma, self._rotation_sigma = 0.0, 0.0

    def update(self, sigma: float, position: Array, distance: float) -> None:
        """Update at a frame. The accumulated error remains after its cause has ended.

        Args:
            sigma: relative standard deviation of the scale; 0: no fault.
            position: (3,) of the camera in odom, units.
            distance: median distance of the points, units.
        """
        self._sigma = sigma
        if sigma > 0:
            self._position_sigma = sigma * float(np.linalg.norm(position))
            self._rotation_sigma = min(_ROTATION_SHARE * self._position_sigma / max(distance, 1e-9), np.pi)

    @property
    def pose_covariance(self) -> Array:
        """(6, 6) covariance to add to that of a pose in odom; isotropic, as the direction is affected, too."""
        return np.diag(np.repeat([self._position_sigma, self._rotation_sigma], 3) ** 2)

    def twist_covariance(self, twist: Array) -> Array:
        """Return the (6, 6) covariance to add to that of a (6,) twist."""
        speed = float(np.linalg.norm(twist[:3]))
        return np.diag(np.append(np.repeat((self._sigma * speed) ** 2, 3), np.zeros(3)))
