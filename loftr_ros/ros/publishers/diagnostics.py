"""The values of the node on /diagnostics."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from loftr_ros.errors import LoftrRosError, shortened
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.states import TrackingState
from loftr_ros.ros.messages.stamp_order import Order

_RATE_WINDOW_S = 10.0
# Images further from now than this are stamped by another clock, such as those of a recording: no latency is known.
_SAME_CLOCK_S = 3600.0
_MESSAGE_LIMIT = 1000  # characters; messages quote what other programs send


class Rate:
    """Rate of events over the last ten seconds."""

    def __init__(self) -> None:
        """Start with no events."""
        self._times: deque[float] = deque(maxlen=10_000)

    def tick(self) -> None:
        """Count an event now."""
        self._times.append(time.monotonic())

    def per_second(self) -> float:
        """Return the mean rate in Hz; 0 with fewer than two events."""
        now = time.monotonic()
        while self._times and self._times[0] < now - _RATE_WINDOW_S:
            self._times.popleft()
        return (len(self._times) - 1) / (now - self._times[0]) if len(self._times) > 1 else 0.0


class Durations:
    """Last, mean and largest of some durations."""

    def __init__(self) -> None:
        """Start with none."""
        self._last, self._total, self._largest, self._count = 0.0, 0.0, 0.0, 0

    def add(self, seconds: float) -> None:
        """Add a duration."""
        self._last = seconds
        self._total += seconds
        self._largest = max(self._largest, seconds)
        self._count += 1

    def diagnostics(self, name: str) -> dict[str, str]:
        """Return names and values in milliseconds for the diagnostics."""
        if self._count == 0:
            return {f"{name} (ms)": "unknown"}
        shown = {"last": self._last, "mean": self._total / self._count, "max": self._largest}
        return {f"{name} {what} (ms)": f"{seconds * 1e3:.1f}" for what, seconds in shown.items()}


class Statistics:
    """Counters of one activation, written by the callbacks and the worker, read by the diagnostics."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Start at zero; `now_ns` reads the clock of the image stamps."""
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._received, self._processed, self._dropped = 0, 0, 0
        self._ignored: Counter[Order] = Counter()
        self._rate_in, self._rate_out = Rate(), Rate()
        self._latency, self._processing = Durations(), Durations()
        self._estimate: OdometryEstimate | None = None
        self._keyframe_ns = 0

    def frame_received(self) -> None:
        """Count a complete set of messages."""
        with self._lock:
            self._received += 1
            self._rate_in.tick()

    def frame_dropped(self) -> None:
        """Count a frame without odometry."""
        with self._lock:
            self._dropped += 1

    def frame_ignored(self, order: Order) -> None:
        """Count a set of messages that is not later than the one before."""
        with self._lock:
            self._ignored[order] += 1

    def frame_processed(self, estimate: OdometryEstimate, arrival: float) -> None:
        """Count a frame whose odometry is published; `arrival` is the monotonic time of its messages, seconds."""
        with self._lock:
            self._processed += 1
            self._rate_out.tick()
            self._processing.add(time.monotonic() - arrival)
            latency = 1e-9 * (self._now_ns() - estimate.stamp_ns)
            if 0 <= latency < _SAME_CLOCK_S:
                self._latency.add(latency)
            self._estimate = estimate
            if estimate.is_keyframe:
                self._keyframe_ns = estimate.stamp_ns

    @property
    def state(self) -> TrackingState | None:
        """State of the last frame; None before the first."""
        estimate = self._estimate
        return estimate.state if estimate else None

    @property
    def scale_known(self) -> bool:
        """Whether the pose of the last frame is metric."""
        return self._estimate is not None and self._estimate.scale_known

    @property
    def lost_because(self) -> str:
        """Reason why the last frame was lost; empty if it was not."""
        estimate = self._estimate
        return estimate.lost_reason.value if estimate and estimate.lost_reason else ""

    @property
    def input_fault(self) -> str:
        """Faults of the input that the images reveal, in sentences; empty without any."""
        return "; ".join(warning.text for warning in self._estimate.input_warnings) if self._estimate else ""

    def diagnostics(self) -> dict[str, str]:
        """Return names and values for the diagnostics."""
        with self._lock:
            estimate = self._estimate
            age = 1e-9 * (estimate.stamp_ns - self._keyframe_ns) if estimate else 0.0
            return {
                "state": estimate.state.value if estimate else "waiting for images",
                "remarks": ", ".join(estimate.remarks) if estimate else "",
                "rate in (Hz)": f"{self._rate_in.per_second():.2f}",
                "rate out (Hz)": f"{self._rate_out.per_second():.2f}",
                **self._latency.diagnostics("latency"),
                **self._processing.diagnostics("processing"),
                "matches": str(estimate.num_matches if estimate else 0),
                "inliers": str(estimate.num_inliers if estimate else 0),
                "keyframe age (s)": f"{age:.2f}",
                "received": str(self._received),
                "processed": str(self._processed),
                "dropped": str(self._dropped),
                "duplicate stamps": str(self._ignored[Order.DUPLICATE]),
                "stale stamps": str(self._ignored[Order.STALE]),
                "scale known": str(estimate.scale_known if estimate else False).lower(),
            }


def user_message(error: BaseException) -> str:
    """Return the message of an error: that of a LoftrRosError, any other marked as an internal error; cut if long."""
    text = str(error) if isinstance(error, LoftrRosError) else f"internal error, {type(error).__name__}: {error}"
    return shortened(text, _MESSAGE_LIMIT)
