"""Quality of service of the subscriptions to images and calibrations, matched to the publishers.

A reliable subscription is incompatible with a best-effort publisher, and a best-effort one loses most large images of a
reliable publisher.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind

from loftr_ros.ros.parameters.table import VoParameters

_RELIABILITY = {"sensor_data": ReliabilityPolicy.BEST_EFFORT, "reliable": ReliabilityPolicy.RELIABLE}
_NAMES = {ReliabilityPolicy.BEST_EFFORT: "best effort", ReliabilityPolicy.RELIABLE: "reliable"}


class MatchedSubscription:
    """A subscription with the reliability of `qos`: with auto, that of the publishers."""

    def __init__(
        self, node: Node, message_type: type[Any], topic: str, callback: Callable[[Any], None], parameters: VoParameters
    ) -> None:
        """Subscribe.

        Args:
            node: owner of the subscription.
            message_type: of the topic.
            topic: fully resolved.
            callback: takes the messages.
            parameters: of the node, for `qos` and `queue_size`.
        """
        self._node = node
        self._type, self._topic, self._callback = message_type, topic, callback
        self._parameters = parameters
        self._reliability: ReliabilityPolicy | None = None
        self._is_logged = False
        self._subscription: Any = None
        self.update()

    def update(self) -> None:
        """Subscribe again if the reliability of the publishers changed."""
        offers = reliabilities(self._node, self._topic)
        wanted = _wanted(self._parameters.qos, offers, self._reliability)
        if wanted is not self._reliability:
            self.close()
            profile = QoSProfile(depth=self._parameters.queue_size, reliability=wanted)
            self._subscription = self._node.create_subscription(
                self._type, self._topic, self._callback, profile, event_callbacks=self._events()
            )
            self._reliability, self._is_logged = wanted, False
        if offers and not self._is_logged and self._parameters.qos == "auto":
            self._is_logged = True
            self._node.get_logger().info(
                f"subscribed to {self._topic} as {_NAMES[wanted]}: its publishers offer {', '.join(offers)}"
            )

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _events(self) -> SubscriptionEventCallbacks:
        """Return a warning about incompatible publishers; with auto the next update resolves it."""

        def warn(event: QoSRequestedIncompatibleQoSInfo) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            self._node.get_logger().warning(
                f"a publisher of {self._topic} offers another {policy} than requested, so none of its messages arrive: "
                "set qos to auto, or make the publisher reliable"
            )

        is_auto = self._parameters.qos == "auto"
        return SubscriptionEventCallbacks(incompatible_qos=(lambda _: None) if is_auto else warn)


def reliabilities(node: Node, topic: str) -> list[str]:
    """Return the reliability of every publisher of a topic: reliable, best effort or unknown."""
    profiles = [publisher.qos_profile for publisher in node.get_publishers_info_by_topic(topic)]
    return [_NAMES.get(profile.reliability, "unknown") for profile in profiles]


def _wanted(qos: str, offers: list[str], now: ReliabilityPolicy | None) -> ReliabilityPolicy:
    """Return the reliability to request.

    Without publishers that is reliable, so that the first image of a reliable publisher is not lost by subscribing
    again; a best-effort publisher gives no such guarantee.
    """
    if qos != "auto":
        return _RELIABILITY[qos]
    if not offers:
        return now or ReliabilityPolicy.RELIABLE
    return ReliabilityPolicy.RELIABLE if set(offers) == {"reliable"} else ReliabilityPolicy.BEST_EFFORT
