"""Images and calibrations to messages, and calibrations back; images back are in `image_decoding`."""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from loftr_ros.odometry.geometry.camera import Camera, CameraError, check_common_focal_length
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


def camera_from_info(info: CameraInfo, *, rectified: bool) -> Camera:
    """Return the camera of a calibration message, with its region of interest and then its binning applied.

    Raises:
        CameraError: the calibration is missing or invalid, or the region is not inside the image.
    """
    region = _region(info)
    camera = full_camera_from_info(info, rectified=rectified).cropped(*region)
    if info.binning_x > 1 or info.binning_y > 1:
        camera = camera.scaled(camera.width // max(info.binning_x, 1), camera.height // max(info.binning_y, 1))
    return camera


def _region(info: CameraInfo) -> tuple[int, int, int, int]:
    """Return x_offset, y_offset, width, height of the region of interest; a size of 0 extends to the border."""
    roi = info.roi
    width, height = roi.width or info.width - roi.x_offset, roi.height or info.height - roi.y_offset
    if roi.x_offset + width > info.width or roi.y_offset + height > info.height:
        raise CameraError(
            f"The region of interest (roi) of {width}x{height} at ({roi.x_offset}, {roi.y_offset}) is not inside the "
            f"{info.width}x{info.height} of the camera info: set width, height, K and P to those of the full image "
            "(REP-104), or roi to 0 if they are those of the region."
        )
    return roi.x_offset, roi.y_offset, width, height


def full_camera_from_info(info: CameraInfo, *, rectified: bool) -> Camera:
    """Return the camera of full images without binning, which a message calibrates (REP-104)."""
    return Camera.from_camera_info(
        info.width, info.height, info.k, info.d, info.distortion_model, info.p, rectified=rectified
    )


def rig_from_infos(left: CameraInfo, right: CameraInfo, baseline: float, *, rectified: bool) -> StereoRig:
    """Return the stereo rig of a pair of calibration messages with this baseline in meters.

    Raises:
        CameraError: a calibration is missing, or it or the baseline is invalid.
    """
    # Rectified images have one size. After it changed, the right message may still be an old one.
    is_late = rectified and (left.width, left.height) != (right.width, right.height)
    camera = camera_from_info(left if is_late else right, rectified=rectified)
    if rectified:
        return StereoRig.rectified(camera, baseline)
    check_common_focal_length((left.k[0], right.k[0]), left.p, right.p)
    # Drivers of cameras without rectification leave R empty.
    R_left, R_right = (np.reshape(info.r, (3, 3)) if any(info.r) else np.eye(3) for info in (left, right))
    return StereoRig.from_rectification(camera, R_left, R_right, baseline)


def infos_from_rig(left: Camera, rig: StereoRig) -> tuple[CameraInfo, CameraInfo]:
    """Return the calibration messages of a pair, without headers.

    P of a raw pair has the intrinsics of the left camera; in a rectified pair each camera keeps its own.
    """
    infos = info_from_camera(left), info_from_camera(rig.right)
    rotations = rig.rectification
    is_rectified = np.allclose(rotations, np.eye(3), rtol=0, atol=1e-9) and not (
        left.distortion.any() or rig.right.distortion.any()
    )
    K_right = rig.right.K if is_rectified else left.K
    for info, R, K, shift in zip(infos, rotations, (left.K, K_right), (0.0, -rig.baseline), strict=True):
        info.r, info.p = R.ravel(), np.column_stack([K, [K[0, 0] * shift, 0.0, 0.0]]).ravel()
    return infos


def info_from_camera(camera: Camera) -> CameraInfo:
    """Return the calibration message of a camera, without a header."""
    P = np.hstack([camera.K, np.zeros((3, 1))])
    message = CameraInfo(width=camera.width, height=camera.height)
    message.distortion_model = "plumb_bob" if camera.distortion_model == "none" else camera.distortion_model
    message.d = camera.distortion.tolist() or [0.0] * 5
    message.k, message.r, message.p = camera.K.ravel(), np.eye(3).ravel(), P.ravel()
    return message
