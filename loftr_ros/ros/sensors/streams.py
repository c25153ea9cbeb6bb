"""The image streams of each mode: topics, message types and decoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from loftr_ros.messages.camera_choice import TOPICS_NEEDED, info_topic
from loftr_ros.messages.image_decoding import decoder
from loftr_ros.ros.parameters.table import VoParameters


@dataclass(frozen=True)
class Stream:
    """One image topic.

    Attributes:
        parameter: name of the parameter of the topic.
        topic: fully resolved, with the suffix of its transport.
        other_topic: the same images by the other transport.
        info_topic: of its calibration; None for depth, which is registered to the image.
        message_type: of the messages.
        decode: returns the (H, W) gray image or depth of a message, given the topic for errors; raises ImageError.
    """

    parameter: str
    topic: str
    other_topic: str
    info_topic: str | None
    message_type: type[Any]
    decode: Callable[[Any, str], NDArray[Any]]


def streams(parameters: VoParameters, resolve: Callable[[str], str]) -> tuple[Stream, ...]:
    """Return the streams of the mode.

    Args:
        parameters: of the node.
        resolve: makes a topic absolute and remaps it, as `Node.resolve_topic_name` does, before the suffixes of
            transport and calibration are added.
    """
    return tuple(
        _stream(name, resolve(getattr(parameters, name)), parameters) for name in TOPICS_NEEDED[parameters.mode]
    )


def _stream(parameter: str, topic: str, parameters: VoParameters) -> Stream:
    depth = parameter == "depth_image_topic"
    packed = f"{topic}/compressedDepth" if depth else f"{topic}/compressed"
    info = None if depth else info_topic(topic)
    compressed = parameters.image_transport == "compressed"
    decode = decoder(depth=depth, compressed=compressed, meters_per_count=parameters.depth_scale)
    if compressed:
        return Stream(parameter, packed, topic, info, CompressedImage, decode)
    return Stream(parameter, topic, packed, info, Image, decode)
