"""Reasons for missing frames, in one sentence with the topic, its publishers and their QoS, and the fix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rclpy.node import Node

from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors.qos import reliabilities
from loftr_ros.ros.sensors.streams import Stream

# Largest possible sync_slop; stamps further apart come from clocks that differ.
_MAX_SLOP_NS = 1_000_000_000
_COMPRESSED = "sensor_msgs/msg/CompressedImage"
_LOSSY = "qos is sensor_data, which loses large images; set qos to auto"


def no_images(node: Node, stream: Stream, parameters: VoParameters) -> str:
    """Return why no images arrive on a topic."""
    start = f"no image on {stream.topic} for {parameters.input_timeout:g} s: "
    other = "raw" if parameters.image_transport == "compressed" else "compressed"
    if not node.count_publishers(stream.topic) and node.count_publishers(stream.other_topic):
        return f"{start}nobody publishes it, but {stream.other_topic} is there; set image_transport to {other}"
    kinds = {publisher.topic_type for publisher in node.get_publishers_info_by_topic(stream.topic)}
    if kinds == {_COMPRESSED} and parameters.image_transport == "raw":
        base = stream.topic.rpartition("/")[0]
        return f"{start}its images are compressed; set {stream.parameter} to {base} and image_transport to compressed"
    return start + _silence(node, stream.topic, parameters, f"start the camera, or set {stream.parameter}")


def no_calibration(node: Node, topic: str, parameters: VoParameters) -> str:
    """Return why images arrive without a calibration."""
    start = f"images arrive but no camera info on {topic}: "
    return start + _silence(node, topic, parameters, "publish the calibration there, or remap the topic")


def _silence(node: Node, topic: str, parameters: VoParameters, nobody: str) -> str:
    offers = reliabilities(node, topic)
    if not offers:
        return f"it has 0 publishers; {nobody}"
    publishers = f"it has {len(offers)} publisher{'s' if len(offers) > 1 else ''} ({', '.join(offers)})"
    if parameters.qos == "reliable" and "reliable" not in offers:
        return f"{publishers} and qos is reliable; set qos to auto"
    if _is_lossy(node, [topic], parameters):
        return f"{publishers} and {_LOSSY}"
    return f"{publishers} but no message arrives; check the camera and the network"


def _is_lossy(node: Node, topics: Iterable[str], parameters: VoParameters) -> bool:
    """Return whether reliable publishers are subscribed to with best effort, which loses large images."""
    offers = {offer for topic in topics for offer in reliabilities(node, topic)}
    return parameters.qos == "sensor_data" and offers == {"reliable"}


def no_sets(node: Node, topics: Sequence[str], stamps: Sequence[Iterable[int]], parameters: VoParameters) -> str:
    """Return why both images of a pair arrive but are not synchronized.

    Args:
        node: to look up the publishers.
        topics: of both.
        stamps: of the latest messages of each, nanoseconds.
        parameters: of the node.
    """
    gap_ns = min((abs(a - b) for a in stamps[0] for b in stamps[1]), default=0)  # none right after a time jump
    start = (
        f"images arrive on {' and '.join(topics)} but no two stamps agreed for {parameters.input_timeout:g} s, the "
        f"closest are {gap_ns * 1e-6:.1f} ms apart: "
    )
    if _is_lossy(node, topics, parameters):
        return f"{start}the publishers are reliable and {_LOSSY}"
    if gap_ns > _MAX_SLOP_NS:
        return f"{start}let both be stamped by one clock"
    wanted = f"sync_slop to more than {gap_ns * 1e-9:.4f}, or synchronize the cameras"
    return (
        f"{start}set {wanted}" if parameters.sync == "approximate" else f"{start}set sync to approximate and {wanted}"
    )


def no_progress(topic: str, stamp_ns: int, parameters: VoParameters) -> str:
    """Return that images arrive whose stamps do not increase."""
    return (
        f"images arrive on {topic} but no stamp was later than {stamp_ns * 1e-9:.3f} s for "
        f"{parameters.input_timeout:g} s: let the driver stamp each image"
    )


def other_publishers(node: Node, topic: str) -> str | None:
    """Return the names of all publishers of a topic, in one sentence, if there is more than one; else None."""
    names = [f"{p.node_namespace.rstrip('/')}/{p.node_name}" for p in node.get_publishers_info_by_topic(topic)]
    if len(names) < 2:
        return None
    listed = ", ".join(sorted(names))
    return f"{len(names)} nodes publish {topic} ({listed}): end all but one, or give each its own namespace"
