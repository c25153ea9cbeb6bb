"""Working size of large images: the odometry must resolve what the matcher resolves, not the pixels of the sensor.

Thresholds and sub-pixel refinement count in pixels of the images, and matches are accurate to a fraction of a pixel of
the network. Beyond a factor of about three between both, no match is within the thresholds, and every frame is lost.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.validation import check_images

# Largest number of pixels of an image, relative to the budget of the network. The corridor, enlarged without detail, is
# tracked as well as the original at a ratio of 5, and lost at 11.
MAX_RATIO = 5


def working_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """Return the width and height at which the odometry processes images, given the budget of the matcher."""
    shrink = (MAX_RATIO * max_pixels / (width * height)) ** 0.5
    return (width, height) if shrink >= 1 else (max(round(width * shrink), 1), max(round(height * shrink), 1))


def at_working_size(frame: Frame, max_pixels: int) -> Frame:
    """Return a frame with images and calibration downscaled to the working size; unchanged if they are not larger.

    Raises:
        FrameError: an image does not fit its calibration, which scaling would hide.
    """
    camera = _scaled(frame.camera, max_pixels)
    if camera is frame.camera:
        return frame
    check_images(frame)
    right, rig, depth = frame.right, frame.rig, frame.depth
    if rig is not None:
        rig = replace(rig, right=_scaled(rig.right, max_pixels))
    if right is not None and rig is not None:
        right = _shrunk(right, rig.right)
    if depth is not None:
        size = camera.width, camera.height
        nearest = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT)  # no mean across depth edges
        depth = np.asarray(nearest, np.float32)
    return replace(frame, image=_shrunk(frame.image, camera), camera=camera, right=right, depth=depth, rig=rig)


def size_note(camera: Camera, max_pixels: int) -> str | None:
    """Return a note on images that are downscaled; None if they are not."""
    width, height = working_size(camera.width, camera.height, max_pixels)
    if (width, height) == (camera.width, camera.height):
        return None
    return (
        f"images of {camera.width}x{camera.height} are processed at {width}x{height}, which is what matches of "
        f"max_pixels {max_pixels} resolve"
    )


def _shrunk(image: NDArray[np.uint8], camera: Camera) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA), np.uint8)


def _scaled(camera: Camera, max_pixels: int) -> Camera:
    width, height = working_size(camera.width, camera.height, max_pixels)
    return camera if (width, height) == (camera.width, camera.height) else camera.scaled(width, height)
