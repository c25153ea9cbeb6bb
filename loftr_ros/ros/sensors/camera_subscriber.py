"""Subscriptions to the images and calibrations of a camera, a pair, or a camera with depth, synchronized to sets."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from loftr_ros.ros.compat import message_filters
from loftr_ros.ros.messages.stamp_order import Order, StampOrder
from loftr_ros.ros.messages.time import is_valid, nanoseconds
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors import watchdog
from loftr_ros.ros.sensors.qos import MatchedSubscription
from loftr_ros.ros.sensors.streams import Stream

# Latest stamps kept of each stream, to report the time offset of a pair.
_KEPT_STAMPS = 10
# Period at which the QoS of the publishers is checked, seconds.
_QOS_PERIOD_S = 0.5


@dataclass(frozen=True)
class CameraMessages:
    """The messages of one frame.

    Attributes:
        images: one of each stream.
        infos: the calibrations of those streams that have one.
        arrival: monotonic time when the set was complete, seconds.
        epoch: number of time jumps before.
    """

    images: tuple[Any, ...]
    infos: tuple[CameraInfo, ...]
    arrival: float
    epoch: int


@dataclass(eq=False)
class _Intake:
    """State of one stream, and its input filter of the synchronizer."""

    stream: Stream
    arrival: float
    filter: Any = None
    info: CameraInfo | None = None
    order: StampOrder = field(default_factory=StampOrder)
    stamps: deque[int] = field(default_factory=lambda: deque(maxlen=_KEPT_STAMPS))


class CameraInput:
    """The subscriptions of one mode.

    Images of several streams are synchronized by stamp. The latest calibration holds until the next one, so it may be
    published with every image or once (latched); images that arrive before the first one are queued. When time jumps
    back, all queues are cleared.
    """

    def __init__(
        self,
        node: Node,
        parameters: VoParameters,
        streams: Sequence[Stream],
        deliver: Callable[[CameraMessages], None],
        ignored: Callable[[Order], None],
    ) -> None:
        """Subscribe.

        Args:
            node: owner of the subscriptions.
            parameters: of the node.
            streams: of the mode.
            deliver: called with complete sets in the order of their stamps, in the executor's thread.
            ignored: called for each set that is not later than the one before, likewise.
        """
        self._node = node
        self._parameters = parameters
        self._deliver = deliver
        self._ignored = ignored
        self._started = self._last_set = time.monotonic()
        self._last_ignored = 0.0
        self._epoch = 0
        self._complete: deque[tuple[Any, ...]] = deque()
        self._waiting: deque[tuple[tuple[Any, ...], float]] = deque(maxlen=parameters.queue_size)
        self._intakes = [_Intake(s, self._started) for s in streams]
        self._clear()
        self._subscriptions = [subscription for intake in self._intakes for subscription in self._subscribe(intake)]
        # On the steady clock: simulated time stands still until the recording plays.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_QOS_PERIOD_S, self._update_qos, clock=clock)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions:
            subscription.close()

    def error(self) -> str | None:
        """Return which input is missing for `input_timeout`, in one sentence, or None."""
        p, late = self._parameters, time.monotonic() - self._parameters.input_timeout
        for intake in self._intakes:
            if intake.arrival < late:
                return watchdog.no_images(self._node, intake.stream, p)
        for intake in self._intakes:
            if intake.stream.info_topic and intake.info is None and self._started < late:
                return watchdog.no_calibration(self._node, intake.stream.info_topic, p)
        if self._last_set > late:
            return None
        if self._last_ignored > late:
            return watchdog.no_progress(self._intakes[0].stream.topic, self._order.newest_ns or 0, p)
        return watchdog.no_sets(
            self._node, [i.stream.topic for i in self._intakes], [i.stamps for i in self._intakes], p
        )

    def other_publishers(self) -> str | None:
        """Return that several nodes publish one of the topics, in one sentence, or None."""
        topics = (topic for i in self._intakes for topic in (i.stream.topic, i.stream.info_topic) if topic)
        return next(filter(None, (watchdog.other_publishers(self._node, topic) for topic in topics)), None)

    def _subscribe(self, intake: _Intake) -> list[MatchedSubscription]:
        stream = intake.stream
        wanted: list[tuple[type[Any], str, Callable[[Any], None]]] = [
            (stream.message_type, stream.topic, partial(self._on_image, intake))
        ]
        if stream.info_topic:
            wanted.append((CameraInfo, stream.info_topic, partial(self._on_info, intake)))
        return [MatchedSubscription(self._node, *subscription, self._parameters) for subscription in wanted]

    def _update_qos(self) -> None:
        for subscription in self._subscriptions:
            subscription.update()

    def _clear(self) -> None:
        """Clear stamps and queues; the synchronizers of message_filters would wait for the old time to return."""
        self._order = StampOrder()
        self._waiting.clear()
        for intake in self._intakes:
            intake.order = StampOrder()
            intake.stamps.clear()
            intake.filter = message_filters.SimpleFilter()
        _combined([intake.filter for intake in self._intakes], self._parameters).registerCallback(self._on_set)

    def _on_info(self, intake: _Intake, message: CameraInfo) -> None:
        intake.info = message
        self._deliver_waiting()

    def _on_image(self, intake: _Intake, message: Any) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        intake.arrival = time.monotonic()
        if not is_valid(stamp_ns):  # refused by message_filters, or by the messages of the odometry
            self._ignore(Order.STALE)
            return
        if intake.order.judge(stamp_ns) is Order.JUMP:
            self._epoch += 1
            self._clear()
            intake.order.judge(stamp_ns)
        intake.stamps.append(stamp_ns)
        intake.filter.signalMessage(message)
        while self._complete:
            self._take(self._complete.popleft())

    def _on_set(self, *images: Any) -> None:
        """Only store the set: the caller holds a lock of message_filters that an exception would never release."""
        self._complete.append(images)

    def _take(self, images: tuple[Any, ...]) -> None:
        order = self._order.judge(nanoseconds(images[0].header.stamp))
        if order is not Order.NEXT:
            self._ignore(order)
            return
        self._last_set = time.monotonic()
        self._waiting.append((images, self._last_set))
        self._deliver_waiting()

    def _ignore(self, order: Order) -> None:
        self._last_ignored = time.monotonic()
        self._ignored(order)

    def _deliver_waiting(self) -> None:
        infos = [intake.info for intake in self._intakes if intake.stream.info_topic]
        known = tuple(info for info in infos if info is not None)
        while self._waiting and len(known) == len(infos):
            images, arrival = self._waiting.popleft()
            self._deliver(CameraMessages(images, known, arrival, self._epoch))


def _combined(filters: list[Any], parameters: VoParameters) -> Any:
    """Return the synchronizer of the filters; a single filter needs none."""
    if len(filters) == 1:
        return filters[0]
    if parameters.sync == "exact":
        return message_filters.TimeSynchronizer(filters, parameters.queue_size)
    return message_filters.ApproximateTimeSynchronizer(filters, parameters.queue_size, parameters.sync_slop)
