"""Image and camera info messages to and from the arrays of the odometry.

NumPy and OpenCV do it directly: cv_bridge is compiled against one major version of NumPy, and works only there.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image

from loftr_ros.errors import LoftrRosError
from loftr_ros.odometry.camera import Camera, stereo_baseline
from loftr_ros.odometry.stereo_rig import StereoRig


class ImageError(LoftrRosError):
    """An image message that cannot be used; the message names the topic's encoding or its damage."""


@dataclass(frozen=True)
class _Layout:
    """How the pixels of an encoding lie in memory, and OpenCV's conversion to grey; None: it is grey."""

    dtype: str
    channels: int
    to_grey: int | None


# Bayer: OpenCV names the pattern by its second row, ROS by its first.
_LAYOUTS = {
    "mono8": _Layout("u1", 1, None),
    "8UC1": _Layout("u1", 1, None),
    "mono16": _Layout("u2", 1, None),
    "16UC1": _Layout("u2", 1, None),
    "rgb8": _Layout("u1", 3, cv2.COLOR_RGB2GRAY),
    "8UC3": _Layout("u1", 3, cv2.COLOR_BGR2GRAY),
    "bgr8": _Layout("u1", 3, cv2.COLOR_BGR2GRAY),
    "rgba8": _Layout("u1", 4, cv2.COLOR_RGBA2GRAY),
    "bgra8": _Layout("u1", 4, cv2.COLOR_BGRA2GRAY),
    "bayer_rggb8": _Layout("u1", 1, cv2.COLOR_BAYER_BG2GRAY),
    "bayer_bggr8": _Layout("u1", 1, cv2.COLOR_BAYER_RG2GRAY),
    "bayer_gbrg8": _Layout("u1", 1, cv2.COLOR_BAYER_GR2GRAY),
    "bayer_grbg8": _Layout("u1", 1, cv2.COLOR_BAYER_GB2GRAY),
    "yuv422": _Layout("u1", 2, cv2.COLOR_YUV2GRAY_UYVY),
    "uyvy": _Layout("u1", 2, cv2.COLOR_YUV2GRAY_UYVY),
    "yuv422_yuy2": _Layout("u1", 2, cv2.COLOR_YUV2GRAY_YUYV),
    "yuyv": _Layout("u1", 2, cv2.COLOR_YUV2GRAY_YUYV),
}


def grey_from_image(message: Image) -> NDArray[np.uint8]:
    """Return the (H, W) uint8 grey image of a message; sixteen bits keep their upper eight.

    Raises:
        ImageError: the encoding is not supported, or the data is shorter than the header says.
    """
    layout = _LAYOUTS.get(message.encoding)
    if layout is None:
        raise ImageError(
            f"image encoding {message.encoding!r} is not supported: publish one of {', '.join(sorted(_LAYOUTS))}"
        )
    pixels = _pixels(message, layout)
    if layout.to_grey is not None:
        pixels = np.asarray(cv2.cvtColor(pixels, layout.to_grey))
    if pixels.dtype == np.uint8:
        return pixels
    upper: NDArray[np.uint8] = (pixels >> 8).astype(np.uint8)
    return upper


def _pixels(message: Image, layout: _Layout) -> NDArray[Any]:
    """View the bytes as (H, W) or (H, W, channels), without the padding that `step` may hold."""
    dtype = np.dtype(layout.dtype).newbyteorder(">" if message.is_bigendian else "<")
    row = message.width * layout.channels * dtype.itemsize
    if message.step < row or len(message.data) < message.step * message.height or not row * message.height:
        raise ImageError(
            f"an image of {message.width}x{message.height} {message.encoding} holds {len(message.data)} bytes with a "
            f"step of {message.step}: the driver fills the message wrongly"
        )
    rows = np.frombuffer(message.data, np.uint8, message.step * message.height).reshape(message.height, message.step)
    pixels: NDArray[Any] = np.ascontiguousarray(rows[:, :row]).view(dtype)
    return pixels if layout.channels == 1 else pixels.reshape(message.height, message.width, layout.channels)


def image_from_array(array: NDArray[np.uint8]) -> Image:
    """Return a mono8 message of an (H, W) array or a bgr8 one of (H, W, 3); the header is left to the caller."""
    message = Image()
    message.height, message.width = array.shape[:2]
    message.encoding = "mono8" if array.ndim == 2 else "bgr8"
    message.is_bigendian = int(sys.byteorder == "big")
    message.step = array[0].nbytes
    # Assigning bytes or an array checks every element in Python, which takes a second for a large image.
    message.data.frombytes(np.ascontiguousarray(array).tobytes())
    return message


def camera_from_info(info: CameraInfo, *, rectified: bool) -> Camera:
    """Return the camera of a calibration message. Raises CameraError if that is missing or impossible."""
    return Camera.from_camera_info(
        info.width, info.height, info.k, info.d, info.distortion_model, info.p, rectified=rectified
    )


def rig_from_infos(left: CameraInfo, right: CameraInfo, *, rectified: bool) -> StereoRig:
    """Return the rig of the calibration messages of a pair.

    Raises:
        CameraError: a calibration is missing or impossible, or the right one holds no baseline.
    """
    baseline = stereo_baseline(right.p)
    if rectified:
        return StereoRig.rectified(camera_from_info(left, rectified=True), baseline)
    R_left, R_right = (np.reshape(info.r, (3, 3)) for info in (left, right))
    return StereoRig.from_rectification(camera_from_info(right, rectified=False), R_left, R_right, baseline)


def infos_from_rig(left: Camera, rig: StereoRig) -> tuple[CameraInfo, CameraInfo]:
    """Return the calibration messages of a pair, which is rectified to the intrinsics of the left camera; no header."""
    infos = info_from_camera(left), info_from_camera(rig.right)
    for info, R, shift in zip(infos, rig.rectification(), (0.0, -left.K[0, 0] * rig.baseline), strict=True):
        info.r, info.p = R.ravel(), np.column_stack([left.K, [shift, 0.0, 0.0]]).ravel()
    return infos


def info_from_camera(camera: Camera) -> CameraInfo:
    """Return the calibration message of a camera; no header."""
    P = np.hstack([camera.K, np.zeros((3, 1))])
    message = CameraInfo(width=camera.width, height=camera.height)
    message.distortion_model = "plumb_bob" if camera.distortion_model == "none" else camera.distortion_model
    message.d = camera.distortion.tolist() or [0.0] * 5
    message.k, message.r, message.p = camera.K.ravel(), np.eye(3).ravel(), P.ravel()
    return message
