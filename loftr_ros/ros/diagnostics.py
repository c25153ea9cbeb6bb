"""What the node says about itself on /diagnostics."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from loftr_ros.errors import LoftrRosError
from loftr_ros.odometry.estimate import OdometryEstimate, TrackingState
from loftr_ros.ros.messages import time_message
from loftr_ros.ros.stamp_order import Order

_RATE_WINDOW_S = 10.0


class Rate:
    """Events a second over the last ten seconds."""

    def __init__(self) -> None:
        """Start with no events."""
        self._times: deque[float] = deque(maxlen=10_000)

    def tick(self) -> None:
        """Count an event now."""
        self._times.append(time.monotonic())

    def per_second(self) -> float:
        """Return the mean rate until now; 0 with fewer than two events."""
        now = time.monotonic()
        while self._times and self._times[0] < now - _RATE_WINDOW_S:
            self._times.popleft()
        return (len(self._times) - 1) / (now - self._times[0]) if len(self._times) > 1 else 0.0


@dataclass
class _Latency:
    last: float = 0.0
    total: float = 0.0
    maximum: float = 0.0


class Statistics:
    """Counts of one activation, written by the callbacks and the worker, read by the diagnostics."""

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self._received, self._processed, self._dropped = 0, 0, 0
        self._ignored: Counter[Order] = Counter()
        self._rate_in, self._rate_out = Rate(), Rate()
        self._latency = _Latency()
        self._estimate: OdometryEstimate | None = None

    def frame_received(self) -> None:
        """Count a complete set of messages."""
        with self._lock:
            self._received += 1
            self._rate_in.tick()

    def frame_dropped(self) -> None:
        """Count a frame that nothing was computed from."""
        with self._lock:
            self._dropped += 1

    def frame_ignored(self, order: Order) -> None:
        """Count a set of messages that is not later than the one before."""
        with self._lock:
            self._ignored[order] += 1

    def frame_processed(self, estimate: OdometryEstimate, arrival: float) -> None:
        """Count a frame whose odometry is out; `arrival` is when it came, seconds of the monotonic clock."""
        with self._lock:
            self._processed += 1
            self._rate_out.tick()
            latency = self._latency
            latency.last = time.monotonic() - arrival
            latency.total += latency.last
            latency.maximum = max(latency.maximum, latency.last)
            self._estimate = estimate

    @property
    def state(self) -> TrackingState | None:
        """State of the last frame; None before the first."""
        estimate = self._estimate
        return estimate.state if estimate else None

    @property
    def lost_because(self) -> str:
        """Why the last frame was lost, in words; empty if it was not."""
        estimate = self._estimate
        return estimate.lost_reason.value if estimate and estimate.lost_reason else ""

    def values(self) -> dict[str, str]:
        """Return names and values to show."""
        with self._lock:
            latency, estimate = self._latency, self._estimate
            mean = latency.total / max(self._processed, 1)
            return {
                "state": estimate.state.value if estimate else "waiting for images",
                "lost because": self.lost_because,
                "rate in (Hz)": f"{self._rate_in.per_second():.2f}",
                "rate out (Hz)": f"{self._rate_out.per_second():.2f}",
                "latency last (ms)": f"{latency.last * 1e3:.1f}",
                "latency mean (ms)": f"{mean * 1e3:.1f}",
                "latency max (ms)": f"{latency.maximum * 1e3:.1f}",
                "matches": str(estimate.num_matches if estimate else 0),
                "inliers": str(estimate.num_inliers if estimate else 0),
                "received": str(self._received),
                "processed": str(self._processed),
                "dropped": str(self._dropped),
                "duplicate stamps": str(self._ignored[Order.DUPLICATE]),
                "stale stamps": str(self._ignored[Order.STALE]),
                "scale known": str(estimate.scale_known if estimate else False).lower(),
            }


def sentence(error: Exception) -> str:
    """Return what to tell the user: errors of the user's are sentences, others are ours."""
    return str(error) if isinstance(error, LoftrRosError) else f"internal error, {type(error).__name__}: {error}"


def diagnostics_message(
    name: str, stamp_ns: int, level: bytes, text: str, values: Mapping[str, str]
) -> DiagnosticArray:
    """Return the message with one status."""
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    status = DiagnosticStatus(level=level, name=name, message=text, hardware_id="loftr_ros", values=pairs)
    return DiagnosticArray(header=Header(stamp=time_message(stamp_ns)), status=[status])
