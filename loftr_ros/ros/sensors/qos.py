"""Quality of service of the subscriptions of images and calibrations, which follows that of the publishers.

A subscription that asks for reliable messages gets none from a best-effort publisher, and one that asks for best effort
loses most of the large images of a reliable one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind

from loftr_ros.ros.parameters.table import VoParameters

_RELIABILITY = {"sensor_data": ReliabilityPolicy.BEST_EFFORT, "reliable": ReliabilityPolicy.RELIABLE}
_IN_WORDS = {ReliabilityPolicy.BEST_EFFORT: "best effort", ReliabilityPolicy.RELIABLE: "reliable"}


class MatchedSubscription:
    """A subscription with the reliability that `qos` asks for: with auto, the one of the publishers."""

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
        self._has_told = False
        self._subscription: Any = None
        self.follow()

    def follow(self) -> None:
        """Subscribe again if the publishers have changed so that another reliability fits."""
        offers = reliabilities(self._node, self._topic)
        wanted = _wanted(self._parameters.qos, offers, self._reliability)
        if wanted is not self._reliability:
            self.close()
            profile = QoSProfile(depth=self._parameters.queue_size, reliability=wanted)
            self._subscription = self._node.create_subscription(
                self._type, self._topic, self._callback, profile, event_callbacks=self._events()
            )
            self._reliability, self._has_told = wanted, False
        if offers and not self._has_told and self._parameters.qos == "auto":
            self._has_told = True
            self._node.get_logger().info(
                f"subscribed to {self._topic} as {_IN_WORDS[wanted]}: its publishers offer {', '.join(offers)}"
            )

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _events(self) -> SubscriptionEventCallbacks:
        """Return callbacks for publishers that the subscription gets nothing from; with auto that does not last."""

        def warn(event: QoSRequestedIncompatibleQoSInfo) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            self._node.get_logger().warning(
                f"a publisher of {self._topic} offers another {policy} than is asked for, nothing comes from it: "
                "set qos to auto, or make the publisher reliable"
            )

        is_auto = self._parameters.qos == "auto"
        return SubscriptionEventCallbacks(incompatible_qos=(lambda _: None) if is_auto else warn)


def reliabilities(node: Node, topic: str) -> list[str]:
    """Return the reliability of every publisher of a topic, in words."""
    profiles = [publisher.qos_profile for publisher in node.get_publishers_info_by_topic(topic)]
    return [_IN_WORDS.get(profile.reliability, "unknown") for profile in profiles]


def _wanted(qos: str, offers: list[str], now: ReliabilityPolicy | None) -> ReliabilityPolicy:
    """Return what to ask for.

    While there is no publisher, that is reliable: the first image of a reliable publisher is not lost to a change, and
    a best-effort one, which never promised its first images, waits for the change.
    """
    if qos != "auto":
        return _RELIABILITY[qos]
    if not offers:
        return now or ReliabilityPolicy.RELIABLE
    return ReliabilityPolicy.RELIABLE if set(offers) == {"reliable"} else ReliabilityPolicy.BEST_EFFORT
