"""A keyframe as another camera mode would have seen it, so that a change of resolution does not end the track."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame

# Calibrations that differ by less, as a share, are the same.
_SAME = 1e-3


def same_pixels(a: Camera, b: Camera) -> bool:
    """Tell whether a ray falls on the same pixel of both, so that features and cells of one are good for the other."""
    return (a.width, a.height) == (b.width, b.height) and np.allclose(a.K, b.K, rtol=_SAME)


def as_seen_by(frame: Frame, now: Frame) -> Frame:
    """Return the images of a frame as cameras at the same place with the same lens, but the pixels of `now`, see them.

    Works for scaling, binning and cropping alike; what the frame does not show becomes black, or unknown depth.
    """
    right, depth = None, None
    if frame.right is not None and frame.rig is not None and now.rig is not None:
        right = _grey(frame.right, frame.rig.right, now.rig.right)
    if frame.depth is not None:
        depth = np.asarray(_warp(frame.depth, _to_old(frame.camera, now.camera), now.camera, cv2.INTER_NEAREST))
    image = _grey(frame.image, frame.camera, now.camera)
    return Frame(frame.stamp_ns, image, now.camera, right, depth, now.rig)


def _to_old(old: Camera, new: Camera) -> Array:
    """(3, 3) pixels of the new camera to those of the old one, of images without distortion or with the same lens."""
    return np.asarray(old.K @ np.linalg.inv(new.K))


def _grey(image: NDArray[np.uint8], old: Camera, new: Camera) -> NDArray[np.uint8]:
    to_old = _to_old(old, new)
    shrunk = max(float(to_old[0, 0]), float(to_old[1, 1]), 1.0)
    smooth = cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(shrunk**2 - 1)) if shrunk > 1 + _SAME else image
    return np.asarray(_warp(smooth, to_old, new, cv2.INTER_LINEAR), np.uint8)


def _warp(image: NDArray[Any], to_old: Array, camera: Camera, interpolation: int) -> Any:
    size = (camera.width, camera.height)
    return cv2.warpAffine(image, to_old[:2], size, flags=interpolation | cv2.WARP_INVERSE_MAP)
