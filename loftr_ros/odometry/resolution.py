"""A keyframe as another camera mode would have seen it, so that a change of resolution does not end the track."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.camera import Camera
from loftr_ros.odometry.frame import Frame

# Calibrations that differ by less, as a share, are the same.
_SAME = 1e-3


def same_pixels(a: Camera, b: Camera) -> bool:
    """Tell whether a ray falls on the same pixel of both, so that features and cells of one are good for the other."""
    return (a.width, a.height) == (b.width, b.height) and np.allclose(a.K, b.K, rtol=_SAME)


def as_seen_by(frame: Frame, camera: Camera) -> Frame:
    """Return the images of a frame as a camera at the same place with the same lens, but other pixels, sees them.

    Works for scaling, binning and cropping alike; what the frame does not show becomes black, or unknown depth.
    """
    # Pixels of the new camera to those of the old one, for undistorted and (with the same lens) distorted images.
    to_old = frame.camera.K @ np.linalg.inv(camera.K)
    shrunk = max(float(to_old[0, 0]), float(to_old[1, 1]), 1.0)

    def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        smooth = cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(shrunk**2 - 1)) if shrunk > 1 + _SAME else image
        return np.asarray(_warp(smooth, to_old, camera, cv2.INTER_LINEAR), np.uint8)

    return replace(
        frame,
        image=grey(frame.image),
        camera=camera,
        right=None if frame.right is None else grey(frame.right),
        depth=None if frame.depth is None else np.asarray(_warp(frame.depth, to_old, camera, cv2.INTER_NEAREST)),
    )


def _warp(image: NDArray[Any], to_old: NDArray[np.float64], camera: Camera, interpolation: int) -> Any:
    size = (camera.width, camera.height)
    return cv2.warpAffine(image, to_old[:2], size, flags=interpolation | cv2.WARP_INVERSE_MAP)
