"""Where a camera may be while nothing is measured, and what motion of it can be believed.

The model: the velocity was measured once. The camera keeps it for a bounded time and is then held. But it may change
its velocity by as much as its recent speed within 0.3 s, as one that brakes hard. So the uncertainty grows with the
square of the time at first, then with the time, and stops growing after `GROWTH_S`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3

# Seconds after which the uncertainty stops growing, so that it stays a number one can use.
GROWTH_S = 10.0
# Seconds within which a velocity changes. The accelerations that are taken for possible: by the recent speed within
# this time, and at least so much, 1/s^2; rad/s^2.
_CHANGE_S, _ACCELERATION, _ANGULAR_ACCELERATION = 0.3, 1.0, 5.0
# Velocities over less time than this are mostly noise, seconds.
_SHORTEST_S = 0.01
# A camera with an acceleration beyond this is hit by something, m/s^2. Hand-held and flying cameras on recorded
# sequences reach 16; an object that passes at walking speed at 30 Hz, and is mistaken for the world, 45.
_SUDDEN = 30.0
# So much of the speed may be the error of a stamp rather than an acceleration, and over at least this time, seconds.
_STAMP_ERROR, _LEAST_STAMP_ERROR_S = 0.5, 1 / 15


@dataclass(frozen=True)
class ConstantVelocityModel:
    """A velocity that was measured.

    Attributes:
        stamp_ns: when.
        twist, covariance: see `estimate.OdometryEstimate`.
        top_speed: largest speed of late.
        kept_s: how long it is assumed to last, seconds.
    """

    stamp_ns: int
    twist: NDArray[np.float64]
    covariance: NDArray[np.float64]
    top_speed: float
    kept_s: float

    def step(self, from_ns: int, to_ns: int) -> NDArray[np.float64]:
        """Return T_camera_camera, the pose at one time in the camera of an earlier one."""
        return se3.exp(self.twist * (min(self._age(to_ns), self.kept_s) - min(self._age(from_ns), self.kept_s)))

    def growth(self, from_ns: int, to_ns: int) -> NDArray[np.float64]:
        """Return the (6, 6) covariance that the step adds; that of two steps in a row is that of both in one."""
        return self._spread(to_ns) - self._spread(from_ns)

    def twist_at(self, stamp_ns: int) -> NDArray[np.float64]:
        """Return the (6,) twist to assume."""
        return self.twist if self._age(stamp_ns) <= self.kept_s else np.zeros(6)

    def twist_covariance_at(self, stamp_ns: int) -> NDArray[np.float64]:
        """Return its (6, 6) covariance."""
        given_up = self.twist - self.twist_at(stamp_ns)
        change = self._acceleration() * min(self._age(stamp_ns), _CHANGE_S)
        return np.asarray(self.covariance + np.diag((np.abs(given_up) + change) ** 2))

    def _spread(self, stamp_ns: int) -> NDArray[np.float64]:
        age = min(self._age(stamp_ns), GROWTH_S)
        changing = min(age, _CHANGE_S)
        change = self._acceleration() * (changing**2 / 2 + _CHANGE_S * (age - changing))
        held = np.abs(self.twist) * max(age - self.kept_s, 0.0)
        return np.asarray(self.covariance * age**2 + np.diag((held + change) ** 2))

    def _acceleration(self) -> NDArray[np.float64]:
        return np.repeat([max(self.top_speed / _CHANGE_S, _ACCELERATION), _ANGULAR_ACCELERATION], 3)

    def _age(self, stamp_ns: int) -> float:
        return max(1e-9 * (stamp_ns - self.stamp_ns), 0.0)


def within_motion_limits(
    step: NDArray[np.float64], seconds: float, top_speed: float, unit_m: float | None, config: OdometryConfig
) -> bool:
    """Check a motion against the limits of speed and angular velocity.

    Args:
        step: (4, 4) motion in the axes of the camera.
        seconds: its duration.
        top_speed: largest of late, units/s; 0 while none is known.
        unit_m: metres in a unit of length; None: unknown.
        config: the limits.
    """
    twist = se3.log(step) / max(seconds, _SHORTEST_S)
    speed, turn = np.linalg.norm(twist.reshape(2, 3), axis=1)
    limit = np.inf if unit_m is None else config.max_speed / unit_m
    if config.mode == "mono" and top_speed > 0:
        limit = min(limit, config.max_speed_ratio * top_speed)
    return bool(speed <= limit and turn <= config.max_angular_velocity)


def is_sudden(
    T_measured: NDArray[np.float64],
    measured_covariance: NDArray[np.float64],
    T_predicted: NDArray[np.float64],
    velocity: ConstantVelocityModel,
    seconds: float,
) -> bool:
    """Return whether a motion takes an acceleration that no camera has, beyond 3 standard deviations of its position.

    Args:
        T_measured, measured_covariance: (4, 4) and (6, 6) pose, in meters.
        T_predicted: (4, 4) pose without any acceleration.
        velocity: that leads there.
        seconds: since it was measured.
    """
    surprise = np.linalg.norm(T_measured[:3, 3] - T_predicted[:3, 3])
    noise = np.sqrt(np.trace((measured_covariance + velocity.covariance * seconds**2)[:3, :3]))
    jitter = _STAMP_ERROR * np.linalg.norm(velocity.twist[:3]) * max(seconds, _LEAST_STAMP_ERROR_S)
    return bool(surprise > 3.0 * noise + jitter + _SUDDEN * seconds**2)
