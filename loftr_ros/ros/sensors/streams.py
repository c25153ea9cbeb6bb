"""The image streams of each mode: topics, message types and decoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from loftr_ros.ros.messages.image_decoding import (
    depth_from_compressed,
    depth_from_image,
    gray_from_compressed,
    gray_from_image,
)
from loftr_ros.ros.parameters.table import VoParameters

# Parameters of the topics of each mode, the left or only camera first.
_TOPICS = {
    "mono": ("image_topic",),
    "stereo": ("left_image_topic", "right_image_topic"),
    "rgbd": ("image_topic", "depth_image_topic"),
}


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
    return tuple(_stream(name, resolve(getattr(parameters, name)), parameters) for name in _TOPICS[parameters.mode])


def _stream(parameter: str, topic: str, parameters: VoParameters) -> Stream:
    depth = parameter == "depth_image_topic"
    packed = f"{topic}/compressedDepth" if depth else f"{topic}/compressed"
    info = None if depth else info_topic(topic)
    scale = parameters.depth_scale
    if parameters.image_transport == "compressed":
        unpack = partial(depth_from_compressed, meters_per_count=scale) if depth else gray_from_compressed
        return Stream(parameter, packed, topic, info, CompressedImage, unpack)
    decode = partial(depth_from_image, meters_per_count=scale) if depth else gray_from_image
    return Stream(parameter, topic, packed, info, Image, decode)


def info_topic(image_topic: str) -> str:
    """Return the topic of the calibration: camera_info in the namespace of the image, as in image_transport."""
    namespace, slash, _ = image_topic.rpartition("/")
    return f"{namespace}{slash}camera_info"
