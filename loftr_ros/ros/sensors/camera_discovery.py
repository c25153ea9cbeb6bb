"""Camera discovery: finds the camera that is publishing if the image topics are empty.

Which topics are a camera is decided in `messages.camera_choice`, for bags too.
"""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from loftr_ros.errors import LoftrRosError
from loftr_ros.messages.camera_choice import (
    CAMERA_TYPES,
    TOPICS_NEEDED,
    Choice,
    Topics,
    cameras_among,
    without_calibration,
)
from loftr_ros.ros.parameters.table import VoParameters

# DDS discovery finds all other publishing cameras within this time after the first one.
_SETTLE_S = 1.0


class CameraSearchError(LoftrRosError):
    """No camera is publishing, or more than one; the message names them and the parameter to set."""


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
            + without_calibration(topics)
        )
    if len(found) > 1:
        listed = ", ".join(map(str, found))
        hint = "; for a pair or depth, set mode" if mode == "mono" else ""
        raise CameraSearchError(f"{len(found)} {mode} cameras are publishing, {listed}: set {names} to one{hint}")
    return found[0]


def choices(topics: Topics, parameters: VoParameters) -> list[Choice]:
    """Return every camera of the mode among the published topics: raw images, or compressed ones if none is raw."""
    transports = ("compressed",) if parameters.image_transport == "compressed" else ("raw", "compressed")
    return cameras_among(topics, parameters.mode, transports)


def published(node: Node) -> dict[str, str]:
    """Return the image and calibration topics that have publishers, without the match image of the node."""
    names = node.get_topic_names_and_types()
    found = {name: types[0] for name, types in names if types[0] in CAMERA_TYPES and node.count_publishers(name)}
    found.pop(node.resolve_topic_name("match_image"), None)
    return found
