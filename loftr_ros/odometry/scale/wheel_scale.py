"""The positions of an external odometry, such as that of wheels, which tell the scale."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.scale.filter import KeyframeStep, ScaleSample, length_sigma

# Positions that are remembered by default: 20 s at 100 Hz.
_REMEMBERED = 2000
# Between positions further apart than this nothing is interpolated.
_LARGEST_GAP_NS = 500_000_000
# Standard deviations: of a position, metres; of a distance, as a share, by small slips; of the wheels' size for good.
_POSITION_SIGMA, _SLIP_SIGMA, _COMMON_SIGMA = 0.005, 0.02, 0.01
# From where the positions are to the camera, metres. A turn swings the camera: one that sits to the side goes further
# or less far by this times the angle, one that sits ahead goes across the way, which lengthens it to second order.
_SIDEWAYS, _AHEAD = 0.1, 0.5
# A way is measured as soon as it is this certain, as a share; after a larger turn, radians, it starts anew.
_WANTED_SIGMA, _LARGEST_TURN = 0.06, 0.2
# Keyframes that may wait for the positions of their time.
_LARGEST_LAG = 20
_TINY = 1e-9


class PositionBuffer:
    """Positions by time. One thread may add while another reads."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        """Start with none; the oldest of more than `remembered` are forgotten."""
        self._stamps: deque[int] = deque(maxlen=remembered)
        self._positions: deque[Array] = deque(maxlen=remembered)
        self._lock = threading.Lock()

    def add(self, stamp_ns: int, position: Array) -> None:
        """Take the next (3,) position of the camera by its wheels, or of a place near it, metres in a fixed frame.

        A stamp that is not after the last one starts anew.
        """
        with self._lock:
            if self._stamps and stamp_ns <= self._stamps[-1]:
                self._stamps.clear()
                self._positions.clear()
            self._stamps.append(stamp_ns)
            self._positions.append(position)

    def reaches(self, stamp_ns: int) -> bool:
        """Tell whether the positions have come as far as this time."""
        with self._lock:
            return bool(self._stamps) and self._stamps[-1] >= stamp_ns

    def position(self, stamp_ns: int) -> Array | None:
        """Return the (3,) position at a time, interpolated; None outside of the positions or in a gap of them."""
        with self._lock:
            after = bisect_left(self._stamps, stamp_ns)
            if after == len(self._stamps):
                return None
            if self._stamps[after] == stamp_ns:
                return self._positions[after]
            if after == 0 or self._stamps[after] - self._stamps[after - 1] > _LARGEST_GAP_NS:
                return None
            begin, end = self._stamps[after - 1], self._stamps[after]
            share = (stamp_ns - begin) / (end - begin)
            return (1.0 - share) * self._positions[after - 1] + share * self._positions[after]


@dataclass(frozen=True)
class _TravelledSegment:
    """What camera and wheels did since a keyframe: pose and covariance in units, and where the wheels were then."""

    start: Array
    T: Array = field(default_factory=lambda: np.eye(4))
    covariance: Array = field(default_factory=lambda: np.zeros((6, 6)))

    def extended(self, step: KeyframeStep) -> _TravelledSegment:
        """Go one keyframe further."""
        motion = step.T_keyframe_camera, step.covariance
        return _TravelledSegment(
            self.start, self.T @ step.T_keyframe_camera, se3.composed_covariance(self.T, self.covariance, *motion)
        )

    @property
    def turn(self) -> float:
        """Angle between the directions at its ends, radians."""
        return float(np.linalg.norm(se3.log_rotation(self.T[:3, :3])))

    def sample(self, end: Array) -> ScaleSample:
        """Compare the distances, the wheels having come to `end`."""
        by_camera, by_wheels = np.linalg.norm(self.T[:3, 3]) + _TINY, np.linalg.norm(end - self.start) + _TINY
        wheel_sigma = np.sqrt(2.0) * _POSITION_SIGMA / by_wheels
        swing_sigma = np.hypot(_SIDEWAYS * self.turn / by_wheels, (_AHEAD * self.turn / by_wheels) ** 2 / 2)
        camera_sigma = length_sigma(self.T, self.covariance)
        sigma = np.linalg.norm([camera_sigma, wheel_sigma, swing_sigma, _SLIP_SIGMA])
        return ScaleSample(float(np.log(by_wheels / by_camera)), float(sigma))


class WheelScale:
    """Measures the scale by the distances between keyframes that camera and wheels have both been to.

    What makes the two differ is in the uncertainty of the ratio: a turn, because the camera does not sit on the axle; a
    short way; a camera that is not sure of its own. A way goes on from keyframe to keyframe until it is certain enough,
    and starts anew after a larger turn and in a new unit.
    """

    common_sigma = _COMMON_SIGMA

    def __init__(self, wheels: PositionBuffer) -> None:
        """Take the positions of the wheels, which may come late."""
        self._wheels = wheels
        self._waiting: deque[KeyframeStep] = deque(maxlen=_LARGEST_LAG)
        self._way: _TravelledSegment | None = None

    def samples(self, step: KeyframeStep) -> list[ScaleSample]:
        """Measure what the positions of the wheels now allow for."""
        self._waiting.append(step)
        found = []
        while self._waiting and self._wheels.reaches(self._waiting[0].estimate.stamp_ns):
            found += self._follow(self._waiting.popleft())
        return found

    def _follow(self, step: KeyframeStep) -> list[ScaleSample]:
        """Go one keyframe further, and measure where the way is certain enough."""
        position = self._wheels.position(step.estimate.stamp_ns)
        if position is None:
            self._way = None
            return []
        if self._way is None or step.has_new_unit:
            self._way = _TravelledSegment(position)
            return []
        way = self._way.extended(step)
        sample = way.sample(position)
        is_certain = sample.sigma < _WANTED_SIGMA
        self._way = _TravelledSegment(position) if is_certain or way.turn > _LARGEST_TURN else way
        return [sample] if is_certain else []
