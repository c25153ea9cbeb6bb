"""Resampling of a keyframe to another camera mode, so that a change of resolution does not end the track."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame

# Relative tolerance between equal calibrations.
# numerical: drivers round them.
_TOLERANCE = 1e-3


def same_pixels(a: Camera, b: Camera) -> bool:
    """Return whether both map rays to the same pixels, so that features and cells of one are valid for the other."""
    return (a.width, a.height) == (b.width, b.height) and np.allclose(a.K, b.K, rtol=_TOLERANCE)


def same_lens_and_pixels(a: Camera, b: Camera) -> bool:
    """Return whether both are the same calibration, up to rounding."""
    return (
        same_pixels(a, b)
        and a.distortion_model == b.distortion_model
        and a.distortion.shape == b.distortion.shape
        and np.allclose(a.distortion, b.distortion, rtol=_TOLERANCE)
    )


def resampled_to(frame: Frame, now: Frame) -> Frame:
    """Resample the images of a frame to the camera matrices of `now`, which has the same lenses.

    Covers scaling, binning and cropping; pixels outside the frame become black, or unknown depth.
    """
    right, depth = None, None
    if frame.right is not None and frame.rig is not None and now.rig is not None:
        right = _resampled(frame.right, frame.rig.right, now.rig.right)
    if frame.depth is not None:
        depth = np.asarray(_warp(frame.depth, _to_old(frame.camera, now.camera), now.camera, cv2.INTER_NEAREST))
    image = _resampled(frame.image, frame.camera, now.camera)
    return Frame(stamp_ns=frame.stamp_ns, image=image, camera=now.camera, right=right, depth=depth, rig=now.rig)


def _to_old(old: Camera, new: Camera) -> Array:
    """(3, 3) homography of new to old pixels, for images without distortion or with the same lens."""
    return np.asarray(old.K @ np.linalg.inv(new.K))


def _resampled(image: NDArray[np.uint8], old: Camera, new: Camera) -> NDArray[np.uint8]:
    to_old = _to_old(old, new)
    factor = max(float(to_old[0, 0]), float(to_old[1, 1]), 1.0)  # of downsampling; the blur prevents aliasing
    smooth = cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(factor**2 - 1)) if factor > 1 + _TOLERANCE else image
    return np.asarray(_warp(smooth, to_old, new, cv2.INTER_LINEAR), np.uint8)


def _warp(image: NDArray[Any], to_old: Array, camera: Camera, interpolation: int) -> Any:
    size = (camera.width, camera.height)
    return cv2.warpAffine(image, to_old[:2], size, flags=interpolation | cv2.WARP_INVERSE_MAP)
