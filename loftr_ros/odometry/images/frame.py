"""Synchronized images of one time: the input of the odometry, which sequences and drivers produce."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.structure_tensor import StructureTensor


@dataclass(frozen=True)
class Frame:
    """Images taken at one time by one rig.

    Attributes:
        stamp_ns: time of exposure, integer nanoseconds.
        image: (H, W) uint8 gray, the left (or only) camera.
        camera: calibration of that camera.
        right: (H, W) uint8 gray of the right camera, of the same time, or None.
        depth: (H, W) float32 meters registered to `image`, 0 or NaN where unknown, or None.
        rig: intrinsics and pose of the right camera; set when `right` is.
    """

    stamp_ns: int
    image: NDArray[np.uint8]
    camera: Camera
    right: NDArray[np.uint8] | None = None
    depth: NDArray[np.float32] | None = None
    rig: StereoRig | None = None

    @cached_property
    def structure_tensor(self) -> StructureTensor:
        """That of `image`, shared by all sub-pixel refinements against this frame."""
        return StructureTensor(self.image)
