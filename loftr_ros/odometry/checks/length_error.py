"""Covariance of a length error that all motions have in common, as a faulty calibration or depth makes it.

Errors of single motions are independent, and their variances add up. One factor on all lengths adds up linearly
instead: the error of a position is a share of its distance from the origin, whatever the number of motions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Rotation error per unit of parallax that is explained wrongly: a depth image of another camera turns the estimate by
# 4 degrees on a way of three times the depth, at a length error of 30 % (corridor).
_ROTATION_SHARE = 0.1


class LengthError:
    """Keeps the standard deviations that faulty input has caused so far."""

    def __init__(self) -> None:
        """Start without any."""
        self._sigma = 0.0
        self._position_sigma, self._rotation_sigma = 0.0, 0.0

    def update(self, sigma: float, position: NDArray[np.float64], distance: float) -> None:
        """Take what is known at a frame. What the error has done by then remains when its cause is gone.

        Args:
            sigma: standard deviation of the factor on all lengths, as a share; 0: the input is as it should be.
            position: (3,) of the camera in odom.
            distance: median distance of what it sees.
        """
        self._sigma = sigma
        if sigma > 0:
            self._position_sigma = sigma * float(np.linalg.norm(position))
            self._rotation_sigma = min(_ROTATION_SHARE * self._position_sigma / max(distance, 1e-9), np.pi)

    @property
    def pose_covariance(self) -> NDArray[np.float64]:
        """(6, 6) what it adds to the covariance of a pose in odom; isotropic, since the direction suffers, too."""
        return np.diag(np.repeat([self._position_sigma, self._rotation_sigma], 3) ** 2)

    def twist_covariance(self, twist: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what it adds to the (6, 6) covariance of a twist."""
        speed = float(np.linalg.norm(twist[:3]))
        return np.diag(np.append(np.repeat((self._sigma * speed) ** 2, 3), np.zeros(3)))
