"""Which topics are a camera: images with a camera_info in the same namespace, as in image_transport.

The name tells left from right, depth, and rectified from raw. The same rules hold for live topics and for bags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

Topics = Mapping[str, str]  # type of message by name

IMAGE, COMPRESSED, INFO = (f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo"))
CAMERA_TYPES = {IMAGE, COMPRESSED, INFO}
# Parameters of the topics of each mode, the left or only camera first.
TOPICS_NEEDED = {
    "mono": ("image_topic",),
    "stereo": ("left_image_topic", "right_image_topic"),
    "rgbd": ("image_topic", "depth_image_topic"),
}
_SIDES = (("left", "right"), ("infra1", "infra2"))
_REGISTERED = ("aligned", "registered")


@dataclass(frozen=True)
class Choice:
    """Parameters that select one camera; as text, its topics."""

    parameters: dict[str, Any]

    def __str__(self) -> str:
        topics = " + ".join(value for name, value in self.parameters.items() if name.endswith("_topic"))
        return f"{topics} (compressed)" if self.parameters.get("image_transport") == "compressed" else topics


def cameras_among(topics: Topics, mode: str, transports: Iterable[str] = ("raw", "compressed")) -> list[Choice]:
    """Return every camera of the mode among the topics, by the first of the transports that has one."""
    for transport in transports:
        found = _CHOOSE[mode](_images(topics, transport))
        if found:
            return [Choice({**choice, "image_transport": transport}) for choice in found]
    return []


def info_topic(image_topic: str) -> str:
    """Return the topic of the calibration: camera_info in the namespace of the image, as in image_transport."""
    namespace, slash, _ = image_topic.rpartition("/")
    return f"{namespace}{slash}camera_info"


def _images(topics: Topics, transport: str) -> list[str]:
    """Return the usable image topics of a transport, without its suffix."""
    return sorted(base for base in _by_base(topics, transport) if _is_usable(base, topics))


def _by_base(topics: Topics, transport: str) -> dict[str, str]:
    """Return the image topics of a transport by their names without its suffix."""
    if transport == "raw":
        return {name: name for name, kind in topics.items() if kind == IMAGE}
    packed = {name: name.rpartition("/") for name, kind in topics.items() if kind == COMPRESSED}
    endings = ("compressed", "compressedDepth")
    return {base: name for name, (base, _, ending) in packed.items() if ending in endings}


def _is_usable(image: str, topics: Topics) -> bool:
    """Return whether an image topic has a calibration, or is depth, which needs none."""
    return is_depth(image) or topics.get(info_topic(image)) == INFO


def without_calibration(topics: Topics) -> str:
    """Return the end of a sentence with the images that lack only a calibration; empty without any."""
    images = {**_by_base(topics, "compressed"), **_by_base(topics, "raw")}
    lacking = ((name, info_topic(base)) for base, name in sorted(images.items()) if not _is_usable(base, topics))
    listed = ", ".join(f"{image} (publish {info})" for image, info in lacking)
    return f"; images without a calibration are on {listed}" if listed else ""


def _mono(images: Iterable[str]) -> list[dict[str, Any]]:
    """Return one image topic per camera: of those that share a camera_info, raw before rectified."""
    color = sorted((image for image in images if not is_depth(image)), key=lambda i: (info_topic(i), is_rectified(i)))
    groups = (next(group) for _, group in groupby(color, key=info_topic))
    return [{"image_topic": image, **({"rectified": True} if is_rectified(image) else {})} for image in groups]


def _stereo(images: Iterable[str]) -> list[dict[str, Any]]:
    """Return one pair of topics per pair of cameras, rectified before raw."""
    images = sorted(images, key=lambda i: (info_topic(i), not is_rectified(i)))
    pairs = [(i, i.replace(a, b)) for i in images for a, b in _SIDES if a in i and i.replace(a, b) in images]
    groups = (next(group) for _, group in groupby(pairs, key=lambda pair: info_topic(pair[0])))
    return [{"left_image_topic": left, "right_image_topic": right, **_rectification(left)} for left, right in groups]


def _rectification(left: str) -> dict[str, bool]:
    """Return the parameter that the name of the left images implies, if any."""
    if is_rectified(left):
        return {"stereo_rectified": True}
    return {"stereo_rectified": False} if left.endswith("image_raw") else {}


def _rgbd(images: Iterable[str]) -> list[dict[str, Any]]:
    """Return every pair of an image and a depth topic, preferring color images and registered depth."""
    images = list(images)
    depths = [image for image in images if is_depth(image)]
    depths = [d for d in depths if any(word in d for word in _REGISTERED)] or depths
    cameras = _mono(images)
    cameras = [c for c in cameras if "color" in c["image_topic"] or "rgb" in c["image_topic"]] or cameras
    return [{**camera, "depth_image_topic": depth} for camera in cameras for depth in depths]


def is_depth(image: str) -> bool:
    """Return whether the name of an image topic says that it is depth."""
    return "depth" in image


def is_rectified(image: str) -> bool:
    """Return whether the name of an image topic says that it is rectified."""
    return "rect" in image.rpartition("/")[2]


_CHOOSE: dict[str, Callable[[Iterable[str]], list[dict[str, Any]]]] = {"mono": _mono, "stereo": _stereo, "rgbd": _rgbd}
