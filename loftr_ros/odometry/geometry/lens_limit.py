"""Limit of a lens model: the pixels that have a ray on the plane z = 1.

That plane ends at 90 degrees, which fisheye lenses see beyond: OpenCV puts all that lies there 1e16 or -1e6 away, the
same in every image, as if points at infinity stood still. And a polynomial of the radius may turn back before the
corners of a wide image, where its inversion ends anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array

if TYPE_CHECKING:
    from loftr_ros.odometry.geometry.camera import Camera

# Largest angle of a ray to the optical axis.
# numerical: guard; there an error of 0.2 px is one of 26 px on the plane z = 1, so no match is an inlier.
_MAX_ANGLE = np.radians(85.0)
# Samples of the radius, up to the corners, and largest error of an undistorted and distorted pixel.
# numerical: tolerance, and bound of the run time (1 ms for a calibration).
_SAMPLES, _MAX_ERROR_PX = 200, 1.0


def max_radius(camera: Camera) -> float:
    """Return the distorted radius on the plane z = 1 up to which `Camera.normalize` is right; inf: in all corners."""
    if camera.distortion_model == "none":
        return np.inf
    A, center = camera.K[:2, :2], camera.K[:2, 2]
    corners = np.array([[x, y] for x in (-0.5, camera.width - 0.5) for y in (-0.5, camera.height - 0.5)])
    largest = np.linalg.norm((corners - center) @ np.linalg.inv(A).T, axis=1).max()
    radii = np.linspace(0.0, largest, _SAMPLES)
    with np.errstate(all="ignore"):
        is_right = _is_right(camera, center + np.outer(radii, A[:, 0])) & _is_right(
            camera, center - np.outer(radii, A[:, 0])
        )
    return np.inf if is_right.all() else float(radii[max(int(np.argmin(is_right)) - 1, 0)])


def _is_right(camera: Camera, pixels: Array) -> NDArray[np.bool_]:
    """Return which (N, 2) pixels are undistorted to rays that are distorted to them; False for NaN."""
    rays = camera.normalize(pixels)
    errors = np.abs(camera.project(np.column_stack([rays, np.ones(len(rays))])) - pixels).max(axis=1)
    return np.asarray((errors < _MAX_ERROR_PX) & (np.arctan(np.linalg.norm(rays, axis=1)) < _MAX_ANGLE))
