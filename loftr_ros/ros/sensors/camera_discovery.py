"""Camera discovery: finds the camera that is publishing if the image topics are empty.

A camera is an image topic with a camera_info in the same namespace, as in image_transport. Its name tells left from
right, depth, and rectified from raw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from loftr_ros.errors import LoftrRosError
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors.streams import info_topic

Topics = Mapping[str, str]  # type of message by name

_IMAGE, _COMPRESSED, _INFO = (f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo"))
_SIDES = (("left", "right"), ("infra1", "infra2"))
_REGISTERED = ("aligned", "registered")
# DDS discovery finds all other publishing cameras within this time after the first one.
_SETTLE_S = 1.0


class CameraSearchError(LoftrRosError):
    """No camera is publishing, or more than one; the message names them and the parameter to set."""


@dataclass(frozen=True)
class Choice:
    """Parameters that select one camera; as text, its topics."""

    parameters: dict[str, Any]

    def __str__(self) -> str:
        topics = " + ".join(value for name, value in self.parameters.items() if name.endswith("_topic"))
        return f"{topics} (compressed)" if self.parameters.get("image_transport") == "compressed" else topics


def topics_are_named(parameters: VoParameters) -> bool:
    """Return whether the image topics of the mode are set; if none is, the camera is to be discovered.

    Raises:
        CameraSearchError: only some are set.
    """
    needed = {name: bool(getattr(parameters, name)) for name in TOPICS_NEEDED[parameters.mode]}
    if any(needed.values()) and not all(needed.values()):
        raise CameraSearchError(
            f"some of {', '.join(needed)} are empty: set all of them, or none to have the camera discovered"
        )
    return all(needed.values())


class CameraSearch:
    """Looks for the camera whenever it is polled; logs each error once."""

    def __init__(self, node: Node, parameters: VoParameters) -> None:
        """Start the search for a camera of the mode."""
        self._node = node
        self._parameters = parameters
        self._began = time.monotonic()
        self._seen: float | None = None
        self._error: str | None = None
        node.get_logger().info(self._activity)

    def camera(self) -> Choice | None:
        """Return the only camera, or None while there is none, or more than one."""
        topics, now = published(self._node), time.monotonic()
        found = choices(topics, self._parameters)
        self._seen = (self._seen or now) if found else None
        since, wait = (self._seen, _SETTLE_S) if self._seen else (self._began, self._parameters.input_timeout)
        if now < since + wait:
            return None
        try:
            return the_only(found, self._parameters.mode, topics)
        except CameraSearchError as error:
            if str(error) != self._error:
                self._error = str(error)
                self._node.get_logger().error(self._error)
            return None

    def status(self) -> tuple[bytes, str]:
        """Return level and text for the diagnostics."""
        return (DiagnosticStatus.ERROR, self._error) if self._error else (DiagnosticStatus.OK, self._activity)

    @property
    def _activity(self) -> str:
        return f"looking for a publishing {self._parameters.mode} camera"


def the_only(found: list[Choice], mode: str, topics: Topics) -> Choice:
    """Return the only choice. Raises CameraSearchError, which also names images that lack only a calibration."""
    names = ", ".join(TOPICS_NEEDED[mode])
    if not found:
        raise CameraSearchError(
            f"no {mode} camera is publishing (an image topic with camera_info beside it): start it, or set {names}"
            + _without_calibration(topics)
        )
    if len(found) > 1:
        listed = ", ".join(map(str, found))
        hint = "; for a pair or depth, set mode" if mode == "mono" else ""
        raise CameraSearchError(f"{len(found)} {mode} cameras are publishing, {listed}: set {names} to one{hint}")
    return found[0]


def choices(topics: Topics, parameters: VoParameters) -> list[Choice]:
    """Return every camera of the mode among the published topics: raw images, or compressed ones if none is raw."""
    transports = ("compressed",) if parameters.image_transport == "compressed" else ("raw", "compressed")
    for transport in transports:
        found = _CHOOSE[parameters.mode](_images(topics, transport))
        if found:
            return [Choice({**choice, "image_transport": transport}) for choice in found]
    return []


def published(node: Node) -> dict[str, str]:
    """Return the image and calibration topics that have publishers, without the match image of the node."""
    names = node.get_topic_names_and_types()
    found = {name: types[0] for name, types in names if types[0] in _WANTED and node.count_publishers(name)}
    found.pop(node.resolve_topic_name("match_image"), None)
    return found


_WANTED = {_IMAGE, _COMPRESSED, _INFO}


def _images(topics: Topics, transport: str) -> list[str]:
    """Return the usable image topics of a transport, without its suffix."""
    return sorted(base for base in _by_base(topics, transport) if _is_usable(base, topics))


def _by_base(topics: Topics, transport: str) -> dict[str, str]:
    """Return the image topics of a transport by their names without its suffix."""
    if transport == "raw":
        return {name: name for name, kind in topics.items() if kind == _IMAGE}
    packed = {name: name.rpartition("/") for name, kind in topics.items() if kind == _COMPRESSED}
    endings = ("compressed", "compressedDepth")
    return {base: name for name, (base, _, ending) in packed.items() if ending in endings}


def _is_usable(image: str, topics: Topics) -> bool:
    """Return whether an image topic has a calibration, or is depth, which needs none."""
    return _is_depth(image) or topics.get(info_topic(image)) == _INFO


def _without_calibration(topics: Topics) -> str:
    """Return the end of a sentence with the images that lack only a calibration; empty without any."""
    images = {**_by_base(topics, "compressed"), **_by_base(topics, "raw")}
    lacking = ((name, info_topic(base)) for base, name in sorted(images.items()) if not _is_usable(base, topics))
    listed = ", ".join(f"{image} (publish {info})" for image, info in lacking)
    return f"; images without a calibration are on {listed}" if listed else ""


def _mono(images: Iterable[str]) -> list[dict[str, Any]]:
    """Return one image topic per camera: of those that share a camera_info, raw before rectified."""
    color = sorted((image for image in images if not _is_depth(image)), key=lambda i: (info_topic(i), _is_rectified(i)))
    groups = (next(group) for _, group in groupby(color, key=info_topic))
    return [{"image_topic": image, **({"rectified": True} if _is_rectified(image) else {})} for image in groups]


def _stereo(images: Iterable[str]) -> list[dict[str, Any]]:
    """Return one pair of topics per pair of cameras, rectified before raw."""
    images = sorted(images, key=lambda i: (info_topic(i), not _is_rectified(i)))
    pairs = [(i, i.replace(a, b)) for i in images for a, b in _SIDES if a in i and i.replace(a, b) in images]
    groups = (next(group) for _, group in groupby(pairs, key=lambda pair: info_topic(pair[0])))
    return [{"left_image_topic": left, "right_image_topic": right, **_rectification(left)} for left, right in groups]


def _rectification(left: str) -> dict[str, bool]:
    """Return the parameter that the name of the left images implies, if any."""
    if _is_rectified(left):
        return {"stereo_rectified": True}
    return {"stereo_rectified": False} if left.endswith("image_raw") else {}


def _rgbd(images: Iterable[str]) -> list[dict[str, Any]]:
    """Return every pair of an image and a depth topic, preferring color images and registered depth."""
    images = list(images)
    depths = [image for image in images if _is_depth(image)]
    depths = [d for d in depths if any(word in d for word in _REGISTERED)] or depths
    cameras = _mono(images)
    cameras = [c for c in cameras if "color" in c["image_topic"] or "rgb" in c["image_topic"]] or cameras
    return [{**camera, "depth_image_topic": depth} for camera in cameras for depth in depths]


def _is_depth(image: str) -> bool:
    return "depth" in image


def _is_rectified(image: str) -> bool:
    return "rect" in image.rpartition("/")[2]


_CHOOSE: dict[str, Callable[[Iterable[str]], list[dict[str, Any]]]] = {"mono": _mono, "stereo": _stereo, "rgbd": _rgbd}
TOPICS_NEEDED = {
    "mono": ("image_topic",),
    "stereo": ("left_image_topic", "right_image_topic"),
    "rgbd": ("image_topic", "depth_image_topic"),
}
