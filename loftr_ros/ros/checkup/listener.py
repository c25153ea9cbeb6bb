"""Camera discovery among the live topics as in the node, and reception of messages for some seconds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from loftr_ros.messages.camera_choice import TOPICS_NEEDED
from loftr_ros.odometry.config import Mode
from loftr_ros.ros.checkup.topic_log import TopicLog
from loftr_ros.ros.parameters.declaration import overrides
from loftr_ros.ros.parameters.table import VoParameters, validated
from loftr_ros.ros.sensors.camera_discovery import choices, published, topics_are_named
from loftr_ros.ros.sensors.qos import MatchedSubscription
from loftr_ros.ros.sensors.streams import Stream, streams

_BEST_FIRST: tuple[Mode, ...] = ("stereo", "rgbd", "mono")
# DDS discovery finds the topics of all other cameras within this time after the first one.
_SETTLE_S = 1.5
# Publishers are discovered and their first messages arrive within this time, also on a busy machine.
SEARCH_S = 6.0
_QOS_PERIOD_S = 0.5  # at which the reliability of the publishers is checked
_HIDDEN = ("/rosout", "/parameter_events")


@dataclass(frozen=True)
class Camera:
    """A camera that the node could use.

    Attributes:
        parameters: with its mode and topics.
        others: number of other cameras of this mode.
    """

    parameters: VoParameters
    others: int = 0


@dataclass(frozen=True)
class Received:
    """The messages of some seconds.

    Attributes:
        parameters: of the camera.
        streams: its images.
        images, infos: logs by topic.
    """

    parameters: VoParameters
    streams: tuple[Stream, ...]
    images: dict[str, TopicLog]
    infos: dict[str, TopicLog]


class Listener:
    """A node with subscriptions only."""

    def __init__(self, node: Node, mode: Mode | None) -> None:
        """Read the parameters of the command line; topics that are not given are to be discovered.

        Args:
            node: without parameters yet.
            mode: to check; None for that of the parameters, or else the best that the topics support.

        Raises:
            ParameterError: a parameter does not exist or is outside its range.
        """
        self._node = node
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        values = overrides(node)
        asked = mode or values.get("mode")
        self._modes: tuple[Mode, ...] = (asked,) if asked else _BEST_FIRST
        self._parameters = validated({**_named_topics(node), **values})

    def close(self) -> None:
        """Shut the executor down."""
        self._executor.shutdown()

    def find_camera(self) -> Camera | None:
        """Wait for a camera and return that of the best mode; None if there is none in time.

        Raises:
            CameraSearchError: only some of the topics of a mode are set.
        """
        deadline, settled = time.monotonic() + SEARCH_S, None
        while (now := time.monotonic()) < min(deadline, settled or deadline):
            if settled is None and self._camera():
                settled = now + _SETTLE_S
            self._executor.spin_once(timeout_sec=0.1)
        return self._camera()

    def listen(self, camera: Camera, seconds: float, keep: int) -> Received:
        """Receive messages for some seconds from the first ones on.

        Args:
            camera: to subscribe to.
            seconds: to receive messages.
            keep: number of images of each topic to store, the first ones.
        """
        parameters, node = camera.parameters, self._node
        found = streams(parameters, node.resolve_topic_name)
        images = {stream.topic: TopicLog(keep) for stream in found}
        infos = {stream.info_topic: TopicLog(1) for stream in found if stream.info_topic}
        wanted = [(stream.message_type, stream.topic, images[stream.topic]) for stream in found]
        wanted += [(CameraInfo, topic, log) for topic, log in infos.items()]
        subscriptions = [
            MatchedSubscription(node, kind, topic, self._into(log), parameters) for kind, topic, log in wanted
        ]
        logs = [*images.values(), *infos.values()]
        self.spin(SEARCH_S, subscriptions, until=lambda: all(map(len, logs)))
        if any(map(len, images.values())):
            self.spin(seconds, subscriptions)
        for subscription in subscriptions:
            subscription.close()
        return Received(parameters, found, images, infos)

    def spin(
        self,
        seconds: float,
        subscriptions: Sequence[MatchedSubscription] = (),
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        """Spin for a time or until a condition holds, and keep the QoS of the subscriptions up to date."""
        deadline, next_look = time.monotonic() + seconds, 0.0
        while (now := time.monotonic()) < deadline and not until():
            if now > next_look:
                next_look = now + _QOS_PERIOD_S
                for subscription in subscriptions:
                    subscription.update()
            self._executor.spin_once(timeout_sec=min(0.1, deadline - now))

    def other_topics(self) -> str:
        """Return the number of published topics of each type, in words."""
        topics = [(n, t) for n, t in self._node.get_topic_names_and_types() if n not in _HIDDEN]
        types = Counter(t[0].rpartition("/")[2] for n, t in topics if self._node.count_publishers(n))
        return ", ".join(f"{count} of type {name}" for name, count in types.most_common()) or "none at all"

    def _camera(self) -> Camera | None:
        topics = published(self._node)
        by_mode = [replace(self._parameters, mode=mode) for mode in self._modes]
        named = [p for p in by_mode if all(getattr(p, name) for name in TOPICS_NEEDED[p.mode])]
        if named:
            return Camera(named[0])
        for parameters in by_mode:
            topics_are_named(parameters)  # raises if only some are set
            if found := choices(topics, parameters):
                return Camera(replace(parameters, **found[0].parameters), len(found) - 1)
        return None

    def _into(self, log: TopicLog) -> Callable[[object], None]:
        return lambda message: log.add(message, self._node.get_clock().now().nanoseconds)


def _named_topics(node: Node) -> dict[str, str]:
    """Return the topic parameters: empty, so that the topics are discovered, except for remapped ones."""
    names = {name for names in TOPICS_NEEDED.values() for name in names}
    defaults = {name: str(getattr(VoParameters(), name)) for name in names}
    namespace = node.get_namespace().rstrip("/")
    is_remapped = {name: node.resolve_topic_name(topic) != f"{namespace}/{topic}" for name, topic in defaults.items()}
    return {name: topic if is_remapped[name] else "" for name, topic in defaults.items()}
