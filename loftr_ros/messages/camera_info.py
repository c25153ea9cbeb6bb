"""Camera models from calibration messages (sensor_msgs/CameraInfo), and their fields from camera models."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry.camera import Camera, CameraError, check_common_focal_length, stereo_baseline
from loftr_ros.odometry.geometry.stereo_rig import StereoRig

_LEAST_BASELINE_M = 1e-3  # vertical offsets of horizontal pairs are smaller

CameraInfo: TypeAlias = Any  # a message of rclpy or of rosbags: both have the same fields


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


def baseline_from_calibration(left: CameraInfo, right: CameraInfo) -> float | None:
    """Return the baseline in the projection matrices of a pair, meters; None if they have none.

    Raises:
        CameraError: it is implausible, or the pair is vertical.
    """
    if left.p[3] != right.p[3]:
        return stereo_baseline(left.p, right.p)
    vertical = left.p[7], right.p[7]
    if abs(vertical[0] - vertical[1]) > _LEAST_BASELINE_M * left.p[0]:
        raise CameraError(
            f"the pair is vertical, as P[7] of left and right camera info are {vertical[0]:g} and {vertical[1]:g}; "
            "only horizontal pairs are supported: use mode mono, or turn the images by 90 degrees and calibrate them so"
        )
    return None


def baseline_from_transform(T_left_right: Array) -> float:
    """Return the baseline of a pair, meters; it is negative if the right camera is on the left."""
    offset = T_left_right[:3, 3]
    return float(np.copysign(np.linalg.norm(offset), offset[0]))


def fields_of_rig(left: Camera, rig: StereoRig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of the calibration messages of a pair.

    P of a raw pair has the intrinsics of the left camera; in a rectified pair each camera keeps its own.
    """
    fields = fields_of_camera(left), fields_of_camera(rig.right)
    rotations = rig.rectification
    K_right = rig.right.K if is_rectified(left, rig) else left.K
    for info, R, K, shift in zip(fields, rotations, (left.K, K_right), (0.0, -rig.baseline), strict=True):
        info["r"], info["p"] = R.ravel(), np.column_stack([K, [K[0, 0] * shift, 0.0, 0.0]]).ravel()
    return fields


def is_rectified(left: Camera, rig: StereoRig) -> bool:
    """Return whether the images of a pair are rectified."""
    has_distortion = left.has_lens or rig.right.has_lens
    return not has_distortion and np.allclose(rig.rectification, np.eye(3), rtol=0, atol=1e-9)


def fields_of_camera(camera: Camera) -> dict[str, Any]:
    """Return the fields of the calibration message of a camera, without a header."""
    return {
        "width": camera.width,
        "height": camera.height,
        "distortion_model": "plumb_bob" if camera.distortion_model == "none" else camera.distortion_model,
        "d": np.array(camera.distortion.tolist() or [0.0] * 5),
        "k": camera.K.ravel(),
        "r": np.eye(3).ravel(),
        "p": np.hstack([camera.K, np.zeros((3, 1))]).ravel(),
    }
