"""Conversion of raw images by cv_bridge, or else by rosbags-image, the same in pure Python.

cv_bridge is compiled for one major version of NumPy, so it may be installed and not run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import LoftrRosError

# Takes an image message and the encoding to convert to, None for its own.
Converter = Callable[[Any, "str | None"], NDArray[Any]]


class ConverterError(LoftrRosError):
    """Neither cv_bridge nor rosbags-image runs."""


class UnknownEncodingError(Exception):
    """An encoding that rosbags-image does not know."""


def find_converter() -> Converter:
    """Return the conversion by cv_bridge, or by rosbags-image where cv_bridge is missing or does not run.

    Raises:
        ConverterError: neither runs.
    """
    try:
        return _cv_bridge()
    except (ImportError, AttributeError) as error:  # what its compiled part raises with the wrong NumPy
        reason = str(error)
    try:
        return _rosbags_image()
    except ImportError as error:
        raise ConverterError(
            f"raw images cannot be converted by {sys.executable}: cv_bridge does not run ({reason}) and rosbags-image "
            "is missing; install one of them (pip install rosbags-image)"
        ) from error


converter = cache(find_converter)


def _cv_bridge() -> Converter:
    from cv_bridge import CvBridge

    bridge = CvBridge()
    bridge.encoding_to_dtype_with_channels("bgr8")  # loads the compiled part

    def convert(message: Any, encoding: str | None) -> NDArray[Any]:
        return np.asarray(bridge.imgmsg_to_cv2(message, encoding or "passthrough"))

    return convert


def _rosbags_image() -> Converter:
    from rosbags.image.image import ImageError, image_to_cvimage

    def convert(message: Any, encoding: str | None) -> NDArray[Any]:
        try:
            return np.asarray(image_to_cvimage(message, encoding))
        except ImageError as error:
            raise UnknownEncodingError(str(error)) from error

    return convert
