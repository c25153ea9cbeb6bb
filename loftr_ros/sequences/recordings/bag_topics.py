"""Chooses the topics of a bag: by type and name, as the node chooses among live topics, or as the user says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from loftr_ros.errors import shortened
from loftr_ros.messages.camera_choice import (
    CAMERA_TYPES,
    COMPRESSED,
    IMAGE,
    INFO,
    TOPICS_NEEDED,
    cameras_among,
    info_topic,
    is_depth,
    is_rectified,
)
from loftr_ros.odometry.config import Mode
from loftr_ros.sequences.errors import MissingSensorError, SequenceError

_ROLES_OF = {"mono": ("image",), "stereo": ("left", "right"), "rgbd": ("image", "depth")}
_TRANSPORTS = ("/compressed", "/compressedDepth")


@dataclass(frozen=True)
class CameraTopics:
    """The topics of a camera in a bag.

    Attributes:
        images: of the left or only camera, and of the right camera or the depth.
        infos: calibrations of the cameras; None where a file replaces it.
        rectified: whether the images are rectified, by their names.
        notes: for the user.
    """

    images: tuple[str, ...]
    infos: tuple[str | None, ...]
    rectified: bool
    notes: tuple[str, ...] = ()


def choose_topics(
    topics: Mapping[str, str], mode: Mode, requested: Mapping[str, str], *, calibrated: bool, bag: str
) -> CameraTopics:
    """Return the topics of the only camera of the mode, or those that are requested.

    Args:
        topics: types by topic.
        mode: sensors that the frames must have.
        requested: topics by role, from `--topics`.
        calibrated: whether files replace the calibrations in the bag.
        bag: name for messages.

    Raises:
        MissingSensorError: there is no camera of the mode, but one of another.
        SequenceError: there are no images, several cameras, or a requested topic is not there.
    """
    if not any(kind in (IMAGE, COMPRESSED) for kind in topics.values()):
        there = shortened(", ".join(f"{name} ({kind})" for name, kind in sorted(topics.items())), 300)
        raise SequenceError(f"{bag} holds no images (sensor_msgs Image or CompressedImage); its topics are {there}.")
    roles = _ROLES_OF[mode]
    given = {"image" if role == "left" and mode != "stereo" else role: topic for role, topic in requested.items()}
    if given:
        if missing := [role for role in roles if role not in given]:
            names = ", ".join(sorted(requested))
            raise MissingSensorError(f"--topics names {names}; mode {mode} takes {' and '.join(missing)} too.")
        images = tuple(_requested(given[role], topics, bag) for role in roles)
        found = CameraTopics(images, (), is_rectified(without_transport(images[0])))
    else:
        found = _discovered(topics, mode, calibrated=calibrated, bag=bag)
    infos = tuple(
        _info(image, topics, calibrated=calibrated, bag=bag) for image in found.images[: 1 + (mode == "stereo")]
    )
    return replace(found, infos=infos)


def _discovered(topics: Mapping[str, str], mode: Mode, *, calibrated: bool, bag: str) -> CameraTopics:
    cameras = {name: kind for name, kind in topics.items() if kind in CAMERA_TYPES}
    if calibrated:
        cameras |= {info_topic(without_transport(name)): INFO for name, kind in cameras.items() if kind != INFO}
    choices = cameras_among(cameras, mode)
    if not choices:  # of both transports, such as compressed images and raw depth
        unpacked = {without_transport(name): IMAGE for name, kind in cameras.items() if kind == COMPRESSED}
        choices = cameras_among(unpacked | cameras, mode)
    found = [choice.parameters for choice in choices]
    notes: tuple[str, ...] = ()
    if mode == "mono" and len(found) == 2:  # the left camera of a pair, as of a folder
        pairs = [choice.parameters["left_image_topic"] for choice in cameras_among(cameras, "stereo")]
        if len(pairs) == 1:
            found = [choice for choice in found if info_topic(choice["image_topic"]) == info_topic(pairs[0])]
            notes = (f"of the pair, {pairs[0]} is used; --topics image=TOPIC chooses",)
    names = TOPICS_NEEDED[mode]
    roles = " ".join(f"{role}=TOPIC" for role in _ROLES_OF[mode])
    if not found:
        raise _no_camera(topics, mode, roles, bag)
    if len(found) > 1:
        listed = shortened("; ".join(" + ".join(choice[name] for name in names) for choice in found), 400)
        raise SequenceError(f"{bag} holds {len(found)} cameras for mode {mode}, {listed}: choose, --topics {roles}.")
    images = tuple(_requested(found[0][name], topics, bag) for name in names)
    return CameraTopics(images, (), is_rectified(without_transport(images[0])), notes)


def _no_camera(topics: Mapping[str, str], mode: Mode, roles: str, bag: str) -> SequenceError:
    """Return the error where no camera of the mode is found."""
    images = [name for name, kind in sorted(topics.items()) if kind in (IMAGE, COMPRESSED)]
    lacking = [
        name for name in images if not is_depth(name) and topics.get(info_topic(without_transport(name))) != INFO
    ]
    listed = shortened(", ".join(images), 300)
    uncalibrated = shortened(", ".join(lacking), 300)
    if mode != "mono":
        what = "pair of cameras (left and right in their names)" if mode == "stereo" else "image with depth"
        hint = f"; those on {uncalibrated} have no CameraInfo: give it, --camera" if lacking else ""
        return MissingSensorError(
            f"{bag} has images on {listed}, and no {what}: choose, --topics {roles}, or use mode mono{hint}."
        )
    if lacking:
        return SequenceError(
            f"{bag} has no CameraInfo of the images on {uncalibrated}: give --camera camera.yaml, "
            "or guess it, --fov DEGREES, the horizontal field of view."
        )
    return SequenceError(f"{bag} has images on {listed}, which seem to be depth only: choose, --topics {roles}.")


def _requested(topic: str, topics: Mapping[str, str], bag: str) -> str:
    """Return the topic of the bag with the images of a topic, which may lack the suffix of its transport."""
    for name in (topic, *(f"{topic}{transport}" for transport in _TRANSPORTS)):
        if topics.get(name) in (IMAGE, COMPRESSED):
            return name
    images = shortened(", ".join(name for name, kind in sorted(topics.items()) if kind in (IMAGE, COMPRESSED)), 300)
    raise SequenceError(f"{bag} has no images on {topic}; it has them on {images}.")


def _info(image: str, topics: Mapping[str, str], *, calibrated: bool, bag: str) -> str | None:
    """Return the topic of the calibration of an image topic."""
    if calibrated:
        return None
    info = info_topic(without_transport(image))
    if topics.get(info) != INFO:
        raise SequenceError(f"{bag} has no calibration of {image} on {info}: give it, --camera camera.yaml.")
    return info


def without_transport(image: str) -> str:
    """Return an image topic without the suffix of its transport."""
    return next((image.removesuffix(transport) for transport in _TRANSPORTS if image.endswith(transport)), image)
