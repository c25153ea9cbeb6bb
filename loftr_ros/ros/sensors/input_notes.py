"""Assumptions about the input, logged once with the first frames for the user to check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage

from loftr_ros.encoded_image import decode, has_exif_rotation
from loftr_ros.messages.image_decoding import METERS_PER_COUNT, SIXTEEN_BITS, looks_swapped
from loftr_ros.odometry.images.depth_counts import described, doubtful_range
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.gray_levels import STRETCHED
from loftr_ros.odometry.images.working_size import size_note
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors.streams import Stream

# Number of frames whose byte order is checked: the first images of a camera may be black.
_ORDER_FRAMES = 30


class InputNotes:
    """Logs the unit of depth images, the stretch of 16 bits, an ignored EXIF orientation and a reduced size.

    Attributes:
        warning: of what is doubtful; None without anything.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        parameters: VoParameters,
        log: Callable[[str], object],
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Set up the notes of some streams; `log` takes each note, `warn` each doubtful one."""
        self.warning: str | None = None
        self._streams = streams
        self._parameters = parameters
        self._log, self._warn = log, warn
        self._notes: dict[str, str] = {}  # by what they are about
        self._frames = 0
        self._has_depth = False

    def diagnostics(self) -> dict[str, str]:
        """Return the notes for the diagnostics, which last longer than the log."""
        return {"assumptions": "; ".join(self._notes.values())}

    def add(self, images: Sequence[Any], frame: Frame) -> None:
        """Log the notes of the first frame and its messages, and of the first with depth; later ones are ignored."""
        self._frames += 1
        for stream, message in zip(self._streams, images, strict=True):
            self._add_order(stream.topic, message)
            if stream.info_topic is None and frame.depth is not None:
                self._add_depth(stream.topic, message, frame.depth)
            elif self._frames == 1:
                self._add_image(stream.topic, message)
        if self._frames == 1 and (note := size_note(frame.camera, self._parameters.max_pixels)):
            self._add("size", note)

    def _add_order(self, topic: str, message: Any) -> None:
        if self._frames > _ORDER_FRAMES or self.warning or isinstance(message, CompressedImage):
            return
        if looks_swapped(message):
            order = "big" if message.is_bigendian else "little"
            self._doubt(
                f"images on {topic} are {order}-endian by is_bigendian, but their bytes are in the other order: fix "
                "the driver, which fills the message wrongly"
            )

    def _add_image(self, topic: str, message: Any) -> None:
        if _has_sixteen_bits(message):
            self._add(topic, f"{topic}: {STRETCHED}")
        if isinstance(message, CompressedImage) and has_exif_rotation(bytes(message.data)):
            self._add(
                topic, f"the EXIF orientation of images on {topic} is ignored: images stay as the camera made them"
            )

    def _add(self, about: str, note: str) -> None:
        self._notes[about] = note
        self._log(note)

    def _doubt(self, warning: str) -> None:
        self.warning = warning
        self._warn(warning)

    def _add_depth(self, topic: str, message: Any, depth: NDArray[np.float32]) -> None:
        """Add the unit with the first frame, and again with the first that has depth, which shows it."""
        is_known = bool((depth > 0).any())
        if self._has_depth or (self._frames > 1 and not is_known):
            return
        self._has_depth = is_known
        unit = self._unit(message)
        self._add(topic, f"depth on {topic} {unit}, {described(depth)}")
        is_assumed = self._parameters.depth_scale == METERS_PER_COUNT and not unit.endswith("in meters")
        if is_assumed and not self.warning and (doubt := doubtful_range(depth)):
            self._doubt(
                f"depth on {topic}, read in counts of {self._parameters.depth_scale:g} m, {doubt}: check depth_scale, "
                "which is 0.0001 where 10000 counts are a meter, and 0.0002 for 5000"
            )

    def _unit(self, message: Any) -> str:
        encoding = message.format if isinstance(message, CompressedImage) else message.encoding
        if encoding.startswith("32FC1"):
            return "is 32FC1 in meters"
        return f"is {encoding.partition(';')[0]} in counts of {self._parameters.depth_scale:g} m (depth_scale)"


def _has_sixteen_bits(message: Any) -> bool:
    if not isinstance(message, CompressedImage):
        return message.encoding in SIXTEEN_BITS
    return decode(bytes(message.data), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH).dtype == np.uint16
