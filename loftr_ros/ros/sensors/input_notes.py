"""Assumptions about the input, logged once with the first frame for the user to check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage

from loftr_ros.encoded_image import decode, has_exif_rotation
from loftr_ros.messages.image_decoding import SIXTEEN_BITS
from loftr_ros.odometry.images.depth_counts import described
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.gray_levels import STRETCHED
from loftr_ros.ros.sensors.streams import Stream


class InputNotes:
    """Logs the unit of depth images, the stretch of 16 bits and an ignored EXIF orientation."""

    def __init__(self, streams: Sequence[Stream], depth_scale: float, log: Callable[[str], object]) -> None:
        """Set up the notes of some streams; `depth_scale` is in meters per count, `log` takes each note."""
        self._streams = streams
        self._depth_scale = depth_scale
        self._log = log
        self._is_logged = False

    def add(self, images: Sequence[Any], frame: Frame) -> None:
        """Log the notes of the first frame and its messages; later ones are ignored."""
        if self._is_logged:
            return
        self._is_logged = True
        for stream, message in zip(self._streams, images, strict=True):
            if stream.info_topic is None and frame.depth is not None:
                self._log(f"depth on {stream.topic} {self._unit(message)}, {described(frame.depth)}")
                continue
            if _has_sixteen_bits(message):
                self._log(f"{stream.topic}: {STRETCHED}")
            if isinstance(message, CompressedImage) and has_exif_rotation(bytes(message.data)):
                self._log(
                    f"the EXIF orientation of images on {stream.topic} is ignored: images stay as the camera made them"
                )

    def _unit(self, message: Any) -> str:
        encoding = message.format if isinstance(message, CompressedImage) else message.encoding
        if encoding.startswith("32FC1"):
            return "is 32FC1 in meters"
        return f"is {encoding.partition(';')[0]} in counts of {self._depth_scale:g} m (depth_scale)"


def _has_sixteen_bits(message: Any) -> bool:
    if not isinstance(message, CompressedImage):
        return message.encoding in SIXTEEN_BITS
    return decode(bytes(message.data), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH).dtype == np.uint16
