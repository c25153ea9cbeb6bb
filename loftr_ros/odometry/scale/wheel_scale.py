"""Scale from an external odometry, such as that of wheels."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from itertools import islice, pairwise

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.scale.filter import KeyframeStep, ScaleSample, length_sigma

# Default capacity of the buffer: 20 s at 100 Hz.
_CAPACITY = 2000
# Largest gap between positions that is interpolated.
_MAX_GAP_NS = 500_000_000
# Standard deviations: of a position, meters; of a distance by slip, relative; of the wheel radius, relative, constant.
_POSITION_SIGMA, _SLIP_SIGMA, _COMMON_SIGMA = 0.005, 0.02, 0.01
# Distance between two positions that no speed explains, meters: resolution of the encoders and jitter of the stamps.
_JITTER = 0.1
# Unknown lever arm from the reference point of the positions to the camera, meters. Rotation moves the camera along the
# path by the sideways part times the angle, and across it by the forward part, which adds length to second order.
_SIDEWAYS, _AHEAD = 0.1, 0.5
# A segment ends when its relative standard deviation is below this, or its rotation, radians, above.
_TARGET_SIGMA, _MAX_ROTATION = 0.06, 0.2
# Keyframes that wait for the positions of their time.
_MAX_PENDING = 20
_TINY = 1e-9


class PositionBuffer:
    """Positions by time, interpolated. One thread may add while another reads."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        """Start empty; beyond the capacity the oldest positions are dropped."""
        self._stamps: deque[int] = deque(maxlen=capacity)
        self._positions: deque[Array] = deque(maxlen=capacity)
        self._lock = threading.Lock()

    def add(self, stamp_ns: int, position: Array) -> None:
        """Add the next (3,) position of the camera or of a point near it, meters in a fixed frame.

        A stamp that is not after the last one clears the buffer first.
        """
        with self._lock:
            if self._stamps and stamp_ns <= self._stamps[-1]:
                self._stamps.clear()
                self._positions.clear()
            self._stamps.append(stamp_ns)
            self._positions.append(position)

    def jumps(self, start_ns: int, end_ns: int, max_speed: float) -> bool:
        """Return whether two successive positions between these times are not of one drive, see `is_jump`."""
        with self._lock:
            first, end = bisect_left(self._stamps, start_ns), bisect_left(self._stamps, end_ns) + 1
            stamps = list(islice(self._stamps, max(first - 1, 0), end))
            positions = list(islice(self._positions, max(first - 1, 0), end))
        steps = zip(pairwise(stamps), pairwise(positions), strict=True)
        return any(is_jump(end - start, b - a, max_speed) for (start, end), (a, b) in steps)

    def reaches(self, stamp_ns: int) -> bool:
        """Return whether there is a position at or after this time."""
        with self._lock:
            return bool(self._stamps) and self._stamps[-1] >= stamp_ns

    def position(self, stamp_ns: int) -> Array | None:
        """Return the (3,) position at a time, linearly interpolated; None outside the buffer or in a gap."""
        with self._lock:
            after = bisect_left(self._stamps, stamp_ns)
            if after == len(self._stamps):
                return None
            if self._stamps[after] == stamp_ns:
                return self._positions[after]
            if after == 0 or self._stamps[after] - self._stamps[after - 1] > _MAX_GAP_NS:
                return None
            begin, end = self._stamps[after - 1], self._stamps[after]
            share = (stamp_ns - begin) / (end - begin)
            return (1.0 - share) * self._positions[after - 1] + share * self._positions[after]


def is_jump(duration_ns: int, step: Array, max_speed: float) -> bool:
    """Return whether a (3,) step between two positions is longer than the speed allows, as of another odometry."""
    return not float(np.linalg.norm(step)) <= max_speed * 1e-9 * duration_ns + _JITTER


@dataclass(frozen=True)
class _TravelledSegment:
    """Motion of camera and wheels over consecutive keyframes.

    Attributes:
        start: (3,) position of the wheels at the first keyframe, meters.
        T: (4, 4) pose of the camera in the first keyframe, units.
        covariance: (6, 6) of it, see `se3`.
    """

    start: Array
    T: Array = field(default_factory=lambda: np.eye(4))
    covariance: Array = field(default_factory=lambda: np.zeros((6, 6)))

    def extended(self, step: KeyframeStep) -> _TravelledSegment:
        """Return the segment with the step to the next keyframe."""
        motion = step.T_keyframe_camera, step.covariance
        return _TravelledSegment(
            start=self.start,
            T=self.T @ step.T_keyframe_camera,
            covariance=se3.composed_covariance(self.T, self.covariance, *motion),
        )

    @property
    def rotation_angle(self) -> float:
        """Angle between the orientations at its ends, radians."""
        return float(np.linalg.norm(se3.log_rotation(self.T[:3, :3])))

    def sample(self, end: Array) -> ScaleSample:
        """Return the ratio of the lengths by wheels and camera; `end` is the (3,) position of the wheels now."""
        by_camera, by_wheels = np.linalg.norm(self.T[:3, 3]) + _TINY, np.linalg.norm(end - self.start) + _TINY
        angle = self.rotation_angle
        wheel_sigma = np.sqrt(2.0) * _POSITION_SIGMA / by_wheels
        lever_arm_sigma = np.hypot(_SIDEWAYS * angle / by_wheels, (_AHEAD * angle / by_wheels) ** 2 / 2)
        camera_sigma = length_sigma(self.T, self.covariance)
        sigma = np.linalg.norm([camera_sigma, wheel_sigma, lever_arm_sigma, _SLIP_SIGMA])
        return ScaleSample(float(np.log(by_wheels / by_camera)), float(sigma))


class WheelScale:
    """Measures the scale by the distances that camera and wheels have traveled between keyframes.

    The uncertainty of the ratio covers slip, the lever arm between camera and axle in a turn, short distances, and the
    camera's own covariance. A segment extends over keyframes until the ratio is certain enough; a larger rotation or a
    new unit starts the next one.
    """

    common_sigma = _COMMON_SIGMA

    def __init__(self, wheels: PositionBuffer, max_speed: float = np.inf) -> None:
        """Read the positions of the wheels, which may arrive late; jumps beyond `max_speed`, m/s, are not driven."""
        self._wheels = wheels
        self._max_speed = max_speed
        self._pending: deque[KeyframeStep] = deque(maxlen=_MAX_PENDING)
        self._segment: _TravelledSegment | None = None

    def samples(self, step: KeyframeStep) -> list[ScaleSample]:
        """Return the samples that the wheel positions up to now make possible."""
        self._pending.append(step)
        found = []
        while self._pending and self._wheels.reaches(self._pending[0].estimate.stamp_ns):
            found += self._extend(self._pending.popleft())
        return found

    def _extend(self, step: KeyframeStep) -> list[ScaleSample]:
        """Extend the segment by one keyframe, and return its sample once it is certain enough."""
        position = self._wheels.position(step.estimate.stamp_ns)
        if position is None:
            self._segment = None
            return []
        jumps = self._wheels.jumps(step.keyframe_ns, step.estimate.stamp_ns, self._max_speed)
        if self._segment is None or step.has_new_unit or jumps:
            self._segment = _TravelledSegment(position)
            return []
        segment = self._segment.extended(step)
        sample = segment.sample(position)
        is_certain = sample.sigma < _TARGET_SIGMA
        ends = is_certain or segment.rotation_angle > _MAX_ROTATION
        self._segment = _TravelledSegment(position) if ends else segment
        return [sample] if is_certain else []
