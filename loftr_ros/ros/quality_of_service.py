"""Quality of service of the image subscriptions, and what to say when a publisher's does not go with it."""

from __future__ import annotations

from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind

from loftr_ros.ros.parameters import VoParameters

_RELIABILITY = {"sensor_data": ReliabilityPolicy.BEST_EFFORT, "reliable": ReliabilityPolicy.RELIABLE}
_IN_WORDS = {ReliabilityPolicy.BEST_EFFORT: "best effort", ReliabilityPolicy.RELIABLE: "reliable"}


def image_profile(parameters: VoParameters) -> QoSProfile:
    """Return what the subscriptions of images and calibrations ask for."""
    return QoSProfile(depth=parameters.queue_size, reliability=_RELIABILITY[parameters.qos])


def reliabilities(node: Node, topic: str) -> list[str]:
    """Return the reliability of every publisher of a topic, in words."""
    profiles = [publisher.qos_profile for publisher in node.get_publishers_info_by_topic(topic)]
    return [_IN_WORDS.get(profile.reliability, "unknown") for profile in profiles]


def incompatibility_logger(node: Node, topic: str) -> SubscriptionEventCallbacks:
    """Return callbacks that warn of publishers which the subscription will get nothing from."""

    def on_incompatible(event: QoSRequestedIncompatibleQoSInfo) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        node.get_logger().warning(
            f"a publisher of {topic} offers another {policy} than is asked for, nothing comes from it: "
            "set qos to sensor_data, or make the publisher reliable"
        )

    return SubscriptionEventCallbacks(incompatible_qos=on_incompatible)
