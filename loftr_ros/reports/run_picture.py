"""Picture of a run at a frame: image with matches beside the growing trajectory, for the video and the window."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.reports.estimate_picture import draw_estimate
from loftr_ros.reports.trajectory_map import TrajectoryMap

_MAX_WIDTH, _MIN_HEIGHT = 1280, 320  # of the image with matches


class RunPicture:
    """Draws each frame of a run; all pictures have the size of the first."""

    def __init__(self, truth: Trajectory | None, remark: str = "") -> None:
        """Start without a frame; the remark is on the whole run."""
        self._map = TrajectoryMap(truth, remark)
        self._size: tuple[int, int] | None = None
        self._count = 0

    def draw(self, frame: Frame, estimate: OdometryEstimate) -> NDArray[np.uint8]:
        """Return the picture of the next frame, (H, W, 3) BGR, with even sides."""
        self._map.add(estimate)
        matches = draw_estimate(frame, estimate, f"frame {self._count}")
        self._count += 1
        self._size = self._size or _fitting(matches.shape[1], matches.shape[0])
        if matches.shape[1::-1] != self._size:
            matches = np.asarray(cv2.resize(matches, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        height = self._size[1]
        return np.hstack([matches, self._map.draw(_even(height), height)])


def _fitting(width: int, height: int) -> tuple[int, int]:
    """Return the size of the image with matches: not too wide, and high enough for the map."""
    scale = min(1.0, _MAX_WIDTH / width)
    scale = max(scale, _MIN_HEIGHT / height) if scale == 1.0 else scale
    return _even(round(width * scale)), _even(round(height * scale))


def _even(pixels: int) -> int:
    return pixels + pixels % 2
