"""Subscribes to the images and calibrations of one camera or a pair, and hands over complete sets."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from loftr_ros.ros.parameters import VoParameters

try:
    import message_filters
except ImportError:  # the wheels of ROS do not have it
    from loftr_ros.ros import synchronizer as message_filters


@dataclass(frozen=True)
class CameraMessages:
    """Everything that makes a frame.

    Attributes:
        images: of the only camera, or of left and right.
        infos: their calibrations.
        arrival: when the set was complete, seconds of the monotonic clock.
    """

    images: tuple[Image, ...]
    infos: tuple[CameraInfo, ...]
    arrival: float


class CameraInput:
    """The subscriptions of one mode.

    Images of a pair are synchronized. A calibration counts from when it came until the next one, so it may be
    published with every image or once; images that come before it wait for it.
    """

    def __init__(self, node: Node, parameters: VoParameters, deliver: Callable[[CameraMessages], None]) -> None:
        """Subscribe; `deliver` is called from the executor's thread."""
        self._node = node
        self._timeout = parameters.input_timeout
        self._deliver = deliver
        self._waiting: deque[tuple[tuple[Image, ...], float]] = deque(maxlen=parameters.queue_size)
        self._started = time.monotonic()
        self._last_set = self._started

        topics = image_topics(parameters)
        qos = QoSProfile(depth=parameters.queue_size, reliability=_RELIABILITY[parameters.qos])
        self._images = [message_filters.Subscriber(node, Image, topic, qos_profile=qos) for topic in topics]
        self._infos: list[CameraInfo | None] = [None for _ in topics]
        self._last_image = [self._started for _ in topics]
        self._info_subscriptions = [
            node.create_subscription(CameraInfo, info_topic(topic), self._info_callback(index), qos)
            for index, topic in enumerate(topics)
        ]
        for index, subscriber in enumerate(self._images):
            subscriber.registerCallback(self._on_image, index)
        _combined(self._images, parameters).registerCallback(self._on_set)

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in [s.sub for s in self._images] + self._info_subscriptions:
            self._node.destroy_subscription(subscription)

    def problem(self) -> str | None:
        """Say in one sentence what is missing since `input_timeout`, or None."""
        late = time.monotonic() - self._timeout
        for subscriber, last in zip(self._images, self._last_image, strict=True):
            if last < late:
                publishers = self._node.count_publishers(subscriber.sub.topic_name)
                return (
                    f"no image on {subscriber.sub.topic_name} for {self._timeout:g} s ({publishers} publishers): "
                    "start the camera, or set the topic or qos parameter"
                )
        for subscription, info in zip(self._info_subscriptions, self._infos, strict=True):
            if info is None and self._started < late:
                return (
                    f"images arrive but no camera info on {subscription.topic_name}: "
                    "publish the calibration there, or remap the topic"
                )
        if self._last_set < late:
            return (
                f"left and right images arrive but no two stamps agreed for {self._timeout:g} s: "
                "set sync to approximate, or synchronize the cameras"
            )
        return None

    def _info_callback(self, index: int) -> Callable[[CameraInfo], None]:
        def on_info(message: CameraInfo) -> None:
            self._infos[index] = message
            self._deliver_waiting()

        return on_info

    def _on_image(self, _: Image, index: int) -> None:
        self._last_image[index] = time.monotonic()

    def _on_set(self, *images: Image) -> None:
        self._last_set = time.monotonic()
        self._waiting.append((images, self._last_set))
        self._deliver_waiting()

    def _deliver_waiting(self) -> None:
        infos = tuple(info for info in self._infos if info is not None)
        if len(infos) < len(self._infos):
            return
        while self._waiting:
            images, arrival = self._waiting.popleft()
            self._deliver(CameraMessages(images, infos, arrival))


_RELIABILITY = {"sensor_data": ReliabilityPolicy.BEST_EFFORT, "reliable": ReliabilityPolicy.RELIABLE}


def image_topics(parameters: VoParameters) -> list[str]:
    """Return the image topics of the mode, left first."""
    if parameters.mode == "mono":
        return [parameters.image_topic]
    return [parameters.left_image_topic, parameters.right_image_topic]


def info_topic(image_topic: str) -> str:
    """Return the topic of the calibration: camera_info beside the image, as image_transport has it."""
    namespace, slash, _ = image_topic.rpartition("/")
    return f"{namespace}{slash}camera_info"


def _combined(subscribers: list[Any], parameters: VoParameters) -> Any:
    """Return the filter that puts out complete sets of images."""
    if len(subscribers) == 1:
        return subscribers[0]
    if parameters.sync == "exact":
        return message_filters.TimeSynchronizer(subscribers, parameters.queue_size)
    return message_filters.ApproximateTimeSynchronizer(subscribers, parameters.queue_size, parameters.sync_slop)
