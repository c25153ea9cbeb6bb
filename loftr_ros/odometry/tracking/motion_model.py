"""Constant-velocity motion model, and limits of speed and acceleration.

The measured velocity is kept for a bounded time, then assumed zero. The process noise assumes that a camera can change
its velocity by its recent speed within 0.3 s, as in hard braking. So the standard deviation of the position grows with
the square of the time, then linearly, and is constant after `GROWTH_S`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.robust import SIGNIFICANT_SIGMAS

# Time after which the process noise stops growing, seconds.
# numerical: bounds the covariance.
GROWTH_S = 10.0
# Time within which the velocity may change by the recent speed, seconds.
# assumed: as in hard braking.
_CHANGE_S = 0.3
# Lower bound of the acceleration of the process noise, units/s².
# assumed: a camera at rest may start to move.
_MIN_ACCELERATION = 1.0
# Lower bound of its angular acceleration, rad/s².
# assumed: of a hand-held camera.
_MIN_ANGULAR_ACCELERATION = 5.0
# Lower bound of the duration of a motion, seconds.
# numerical: guard; velocities over less are mostly noise.
_MIN_DURATION_S = 0.01
# Acceleration limit, m/s².
# measured: docs/odometry.md, "Hand-held and flying cameras reach 16".
_MAX_ACCELERATION = 30.0
# Error of the time between two stamps, as a share of it.
# assumed: a stamp is off by half a frame.
_STAMP_ERROR = 0.5
# Least time that the share is taken of, seconds. An image that arrives late shortens the time to the next one, whose
# motion seems faster.
# assumed: stamped at arrival, one frame in two may be late at 30 Hz.
_MIN_STAMP_ERROR_S = 1 / 15


@dataclass(frozen=True)
class ConstantVelocityModel:
    """Prediction from the last measured velocity.

    Attributes:
        stamp_ns: of the velocity, nanoseconds.
        twist, covariance: (6,) and (6, 6) in the axes of the camera, see `estimate.OdometryEstimate`.
        top_speed: largest recent speed, units/s.
        horizon_s: time for which the velocity is kept, seconds.
    """

    stamp_ns: int
    twist: Array
    covariance: Array
    top_speed: float
    horizon_s: float

    def step(self, from_ns: int, to_ns: int) -> Array:
        """Return T_camera_camera (4, 4), the predicted pose at `to_ns` in the camera at `from_ns`."""
        return se3.exp(self.twist * (min(self._age(to_ns), self.horizon_s) - min(self._age(from_ns), self.horizon_s)))

    def process_noise(self, from_ns: int, to_ns: int) -> Array:
        """Return the (6, 6) covariance of the step; additive over successive steps."""
        return self._accumulated_noise(to_ns) - self._accumulated_noise(from_ns)

    def twist_at(self, stamp_ns: int) -> Array:
        """Return the predicted (6,) twist: constant up to the horizon, then zero."""
        return self.twist if self._age(stamp_ns) <= self.horizon_s else np.zeros(6)

    def twist_covariance_at(self, stamp_ns: int) -> Array:
        """Return the (6, 6) covariance of the predicted twist."""
        dropped = self.twist - self.twist_at(stamp_ns)
        change = self._acceleration() * min(self._age(stamp_ns), _CHANGE_S)
        return np.asarray(self.covariance + np.diag((np.abs(dropped) + change) ** 2))

    def _accumulated_noise(self, stamp_ns: int) -> Array:
        age = min(self._age(stamp_ns), GROWTH_S)
        changing = min(age, _CHANGE_S)
        change = self._acceleration() * (changing**2 / 2 + _CHANGE_S * (age - changing))
        dropped = np.abs(self.twist) * max(age - self.horizon_s, 0.0)
        return np.asarray(self.covariance * age**2 + np.diag((dropped + change) ** 2))

    def _acceleration(self) -> Array:
        return np.repeat([max(self.top_speed / _CHANGE_S, _MIN_ACCELERATION), _MIN_ANGULAR_ACCELERATION], 3)

    def _age(self, stamp_ns: int) -> float:
        return max(1e-9 * (stamp_ns - self.stamp_ns), 0.0)


def within_motion_limits(
    step: Array, seconds: float, top_speed: float, unit_m: float | None, config: OdometryConfig
) -> bool:
    """Return whether a motion is within the limits of speed and angular velocity.

    Args:
        step: (4, 4) motion in the axes of the camera.
        seconds: its duration.
        top_speed: largest recent speed, units/s; 0 while none is known.
        unit_m: meters in a unit of length; None: unknown.
        config: the limits.
    """
    twist = se3.log(step) / max(seconds, _MIN_DURATION_S)
    speed, angular_speed = np.linalg.norm(twist.reshape(2, 3), axis=1)
    limit = np.inf if unit_m is None else config.max_speed / unit_m
    if config.mode == "mono" and top_speed > 0:
        limit = min(limit, config.max_speed_ratio * top_speed)
    return bool(speed <= limit and angular_speed <= config.max_angular_velocity)


def is_sudden(
    T_measured: Array,
    measured_covariance: Array,
    T_predicted: Array,
    model: ConstantVelocityModel,
    seconds: float,
) -> bool:
    """Return whether a motion exceeds the acceleration limit of a camera by more than 3 sigma of its position.

    Args:
        T_measured, measured_covariance: (4, 4) and (6, 6) pose, in meters.
        T_predicted: (4, 4) pose predicted by the model.
        model: of the velocity before the motion.
        seconds: duration of the motion.
    """
    innovation = np.linalg.norm(T_measured[:3, 3] - T_predicted[:3, 3])
    sigma = np.sqrt(np.trace((measured_covariance + model.covariance * seconds**2)[:3, :3]))
    jitter = _STAMP_ERROR * np.linalg.norm(model.twist[:3]) * max(seconds, _MIN_STAMP_ERROR_S)
    return bool(innovation > SIGNIFICANT_SIGMAS * sigma + jitter + _MAX_ACCELERATION * seconds**2)
