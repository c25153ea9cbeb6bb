"""Brings a raw stereo pair into the rectified geometry of its calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.camera import Camera
from loftr_ros.sequences.camera_yaml import Calibration

Maps = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Rectification:
    """Lookup maps of both cameras, from cv2.initUndistortRectifyMap."""

    left: Maps
    right: Maps

    @staticmethod
    def between(left: Calibration, right: Calibration) -> Rectification | None:
        """Make the maps, or return None when both calibrations describe rectified images."""
        if left.is_rectified and right.is_rectified:
            return None
        return Rectification(_maps(left), _maps(right))

    def apply(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Rectify an (H, W) pair."""
        return _remap(left, self.left), _remap(right, self.right)


def _maps(calibration: Calibration) -> Maps:
    return lookup_maps(calibration.raw, calibration.R, calibration.P[:, :3], cv2.CV_16SC2)


def lookup_maps(camera: Camera, R: NDArray[np.float64], K: NDArray[np.float64], map_type: int) -> Maps:
    """Make the maps for cv2.remap that take a camera's images to those of an ideal one.

    Args:
        camera: that took the images, with its distortion.
        R: (3, 3), takes points in its frame to that of the ideal camera.
        K: (3, 3) matrix of the ideal camera.
        map_type: of cv2.initUndistortRectifyMap.
    """
    fisheye = camera.distortion_model == "equidistant"
    init = cv2.fisheye.initUndistortRectifyMap if fisheye else cv2.initUndistortRectifyMap
    size = (camera.width, camera.height)
    map_x, map_y = init(camera.K, camera.distortion, R, np.ascontiguousarray(K), size, map_type)
    return map_x, map_y


def _remap(image: NDArray[np.uint8], maps: Maps) -> NDArray[np.uint8]:
    return np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR), np.uint8)
