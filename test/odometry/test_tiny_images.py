"""Images of a few pixels: a driver may send them, and another matcher than LoFTR may take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.visual_odometry import VisualOdometry


class Anything:
    """Matches at random."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def extract(self, image: NDArray[np.uint8]) -> tuple[int, ...]:
        return image.shape

    def match(self, shape_a: tuple[int, ...], shape_b: tuple[int, ...]) -> Matches:
        count = int(self._rng.integers(0, 200))
        points = self._rng.uniform(0, [shape_a[1], shape_a[0]], (count, 2)).astype(np.float32)
        moved = (points + self._rng.normal(0, 0.3, (count, 2))).astype(np.float32)
        cells = np.arange(count) % (shape_a[0] * shape_a[1])
        return Matches(points, moved, np.ones(count, np.float32), cells)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", ["mono", "stereo", "rgbd"])
@pytest.mark.parametrize("size", [(1, 1), (1, 64), (64, 1), (2, 2), (3, 5), (8, 8), (13, 13), (31, 17), (1, 2000)])
def test_images_of_any_size_are_processed(mode: str, size: tuple[int, int]) -> None:
    height, width = size
    focal, rng = max(size), np.random.default_rng(1)
    camera = Camera(width, height, np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]]))
    config = OdometryConfig(mode=mode, min_inliers=8)  # type: ignore[arg-type]
    odometry: VisualOdometry[Any] = VisualOdometry(Anything(), config)
    for index in range(12):
        left, right = rng.integers(0, 256, (2, height, width), np.uint8)
        depth = rng.uniform(1, 5, size).astype(np.float32)
        frame = Frame(10**8 * index, left, camera, right, depth, StereoRig.rectified(camera, 0.1))
        if index == 5:
            left[:] = 128
        assert np.isfinite(odometry.process(frame).T_odom_camera).all()
