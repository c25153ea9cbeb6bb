"""Validation of frames against the mode and the calibration, before any computation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import LoftrRosError
from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.geometry.calibration_check import resize_hint
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame


class FrameError(LoftrRosError):
    """Images that do not fit the mode, the calibration or each other; the message names the image and the fix."""


class StampError(FrameError):
    """A frame that is not later than its predecessor."""


def check_frame(frame: Frame, before: Frame | None, mode: Mode) -> None:
    """Validate the shapes, types and stamp of a frame.

    Args:
        frame: to validate.
        before: its predecessor; None for the first.
        mode: of the odometry.

    Raises:
        FrameError: an image is missing, or does not fit the calibration.
        StampError: the stamp is not after that of `before`.
    """
    if mode == "stereo":
        _check_stereo(frame)
    if mode == "rgbd" and frame.depth is None:
        raise FrameError("mode is rgbd but the frame has no depth image; give one, or set mode to mono.")
    used = replace(
        frame, right=frame.right if mode == "stereo" else None, depth=frame.depth if mode == "rgbd" else None
    )
    check_images(used)
    if before is not None and frame.stamp_ns <= before.stamp_ns:
        raise StampError(
            f"The stamp {frame.stamp_ns} ns is not after the one before, {before.stamp_ns} ns; "
            "drop duplicates, and reset the odometry when time jumps back."
        )


def check_images(frame: Frame) -> None:
    """Validate the shapes and types of all images that a frame has. Raises FrameError."""
    size = (frame.camera.height, frame.camera.width)
    _check_image("image", frame.image, size, np.uint8, frame.camera)
    if frame.right is not None and frame.rig is not None:
        right = frame.rig.right
        _check_image("right image", frame.right, (right.height, right.width), np.uint8, right)
    if frame.depth is not None:
        _check_image("depth image", frame.depth, size, np.float32)


def _check_stereo(frame: Frame) -> None:
    if frame.right is None:
        raise FrameError("mode is stereo but the frame has no right image; give one, or set mode to mono.")
    if frame.rig is None:
        raise FrameError(
            "mode is stereo but the frame has no rig, which says where the right camera is; calibrate the pair: ROS "
            "keeps the baseline in P[3] of the right camera."
        )


def _check_image(
    name: str, image: NDArray[Any], size: tuple[int, int], dtype: type[np.generic], camera: Camera | None = None
) -> None:
    if image.ndim != 2 or image.dtype != dtype:
        raise FrameError(
            f"The {name} is {image.dtype} of shape {image.shape}; it must be {np.dtype(dtype)} of one channel."
        )
    if image.shape != size:
        fix = "use depth that is registered to the images, pixel by pixel"
        if camera:
            fix = f"use the calibration of this resolution{resize_hint(camera, image.shape[1], image.shape[0])}"
        raise FrameError(f"The {name} is {_size(image.shape)} but the camera is calibrated for {_size(size)}; {fix}.")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
