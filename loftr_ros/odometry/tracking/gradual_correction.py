"""Gradual correction: the published pose follows a corrected one over several frames (REP 105: odom is continuous)."""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3

# Time constant of the correction, seconds.
# assumed: a controller follows, and the correction ends within a second or two.
_TIME_CONSTANT_S = 0.5
# Largest step of one frame, standard deviations of the pose.
# assumed: consumers that gate by the covariance accept it.
_MAX_SIGMAS = 0.5
# Rest below which the correction is finished: m (or units) and rad.
# numerical: below the covariance floor.
_FINISHED = 1e-6


class GradualCorrection:
    """The error of the published pose with respect to the corrected one, which decays to zero."""

    def __init__(self) -> None:
        """Start without a correction."""
        self._rest: Array | None = None  # (6,), see `se3.difference`
        self._stamp_ns = 0

    def published(self, stamp_ns: int, T_odom_camera: Array, covariance: Array) -> tuple[Array, Array]:
        """Return the pose to publish and its covariance, which includes the rest of the correction.

        Args:
            stamp_ns: of the frame, nanoseconds.
            T_odom_camera, covariance: (4, 4) corrected pose, and (6, 6) covariance.
        """
        seconds, self._stamp_ns = 1e-9 * (stamp_ns - self._stamp_ns), stamp_ns
        if self._rest is None:
            return T_odom_camera, covariance
        sigmas = float(np.sqrt(self._rest @ np.linalg.solve(se3.well_conditioned(covariance), self._rest)))
        share = min(seconds / _TIME_CONSTANT_S, 1.0, _MAX_SIGMAS / max(sigmas, 1e-9))
        self._rest = self._rest * (1.0 - share)
        if np.abs(self._rest).max() < _FINISHED:
            self._rest = None
            return T_odom_camera, covariance
        return se3.retract(T_odom_camera, self._rest), covariance + np.outer(self._rest, self._rest)

    def add(self, T_published: Array, T_corrected: Array) -> None:
        """Start with a pose just published, and the corrected pose of the same frame."""
        self._rest = se3.difference(T_published, T_corrected)
