"""The same images give the same estimates to the last digit, again and with another number of threads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from loftr_ros.loftr.runtime.matcher import load_matcher
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.visual_odometry import VisualOdometry

CAMERA = Camera(240, 192, np.array([[200.0, 0, 119.5], [0, 200, 95.5], [0, 0, 1]]))


def run(texture: NDArray[np.uint8], threads: int) -> bytes:
    """Return the numbers of all estimates of a camera that moves along a wall and then turns."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        odometry = VisualOdometry(load_matcher("compact", "cpu"))
        shifts = (0, 5, 11, 18)
        frames = [
            Frame(10**8 * index, np.ascontiguousarray(texture[index : index + 192, shift : shift + 240]), CAMERA)
            for index, shift in enumerate(shifts)
        ]
        estimates = [odometry.process(frame) for frame in frames]
    finally:
        torch.set_num_threads(before)
    assert len({estimate.state for estimate in estimates}) > 1, "the camera moves"
    assert estimates[-1].num_inliers > 25
    return b"".join(
        array.tobytes()
        for e in estimates
        for array in (e.T_odom_camera, e.pose_covariance, e.twist, e.matches.points_b)
    )


def test_the_same_images_give_the_same_estimates(texture: NDArray[np.uint8]) -> None:
    once = run(texture, 1)
    assert run(texture, 1) == once
    assert run(texture, 2) == once
