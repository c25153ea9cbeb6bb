"""Images and calibrations to messages, and calibrations back; images back are in `image_decoding`."""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from loftr_ros.messages.camera_info import fields_of_camera, fields_of_rig
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig

_ENCODINGS = {(2, "u1"): "mono8", (3, "u1"): "bgr8", (2, "u2"): "16UC1", (2, "f4"): "32FC1"}
_MAX_MILLIMETERS = 65535


def image_from_array(array: NDArray[Any]) -> Image:
    """Return the message of an image, without a header.

    Args:
        array: (H, W) uint8 becomes mono8, uint16 16UC1, float32 32FC1; (H, W, 3) uint8 becomes bgr8.
    """
    message = Image()
    message.height, message.width = array.shape[:2]
    message.encoding = _ENCODINGS[array.ndim, array.dtype.str[1:]]
    message.is_bigendian = int(sys.byteorder == "big")
    message.step = array[0].nbytes
    # Assigning bytes or an array checks every element in Python, which takes a second for a large image.
    message.data.frombytes(np.ascontiguousarray(array).tobytes())
    return message


def compressed_from_array(array: NDArray[Any]) -> CompressedImage:
    """Return the message of an (H, W) gray image or float32 depth in meters as image_transport encodes it, no header.

    Depth is rounded to millimeters, and 0 where it is unknown or more than 65 m.
    """
    start, form = b"", "mono8; png compressed"
    if array.dtype == np.float32:
        millimeters = np.rint(np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0) * 1000)
        array = np.where(millimeters <= _MAX_MILLIMETERS, millimeters, 0).astype(np.uint16)
        start, form = bytes(12), "16UC1; compressedDepth png"
    message = CompressedImage(format=form)
    message.data.frombytes(start + cv2.imencode(".png", array)[1].tobytes())
    return message


def infos_from_rig(left: Camera, rig: StereoRig) -> tuple[CameraInfo, CameraInfo]:
    """Return the calibration messages of a pair, without headers."""
    infos = fields_of_rig(left, rig)
    return CameraInfo(**infos[0]), CameraInfo(**infos[1])


def info_from_camera(camera: Camera) -> CameraInfo:
    """Return the calibration message of a camera, without a header."""
    return CameraInfo(**fields_of_camera(camera))
