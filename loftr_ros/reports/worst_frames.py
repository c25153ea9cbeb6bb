"""The worst frames of a run, with pictures of their matches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState
from loftr_ros.output import writing
from loftr_ros.reports.estimate_picture import draw_estimate

FOLDER = "worst_frames"
COUNT = 6
# One picture stands for its neighborhood, frames: a faulty stretch would fill all of them otherwise.
_SPACING = 5
_MAX_WIDTH, _QUALITY = 1280, 80


@dataclass(frozen=True)
class _Picture:
    index: int
    inlier_ratio: float
    jpeg: NDArray[np.uint8]


class WorstFrames:
    """Keeps the pictures of the frames with the lowest inlier ratios; lost frames come first."""

    def __init__(self, count: int = COUNT) -> None:
        """Start without frames; at most `count` pictures are kept."""
        self._count = count
        self._worst: list[_Picture] = []  # the worst first

    def add(self, index: int, frame: Frame, estimate: OdometryEstimate) -> None:
        """Add the next frame of the run with its number; it is drawn only if it is among the worst so far."""
        if len(estimate.matches) == 0 and estimate.state is not TrackingState.LOST:
            return  # nothing was measured, as in the first frame
        ratio = 0.0 if estimate.state is TrackingState.LOST else estimate.num_inliers / len(estimate.matches)
        near = [one for one in self._worst if index - one.index < _SPACING]
        rivals = near or self._worst[self._count - 1 :]
        if rivals and ratio >= rivals[-1].inlier_ratio:
            return
        jpeg = _encoded(draw_estimate(frame, estimate, f"frame {index}"))
        kept = [one for one in self._worst if one not in rivals]
        self._worst = sorted([*kept, _Picture(index, ratio, jpeg)], key=lambda one: one.inlier_ratio)

    def write(self, folder: Path) -> list[dict[str, float | str]]:
        """Write the pictures, and return index, inlier ratio and file of each for run.json. Raises OutputError."""
        entries: list[dict[str, float | str]] = []
        for one in self._worst:
            path = folder / FOLDER / f"frame_{one.index:06d}.jpg"
            path.parent.mkdir(exist_ok=True)
            with writing(path) as part:
                part.write_bytes(one.jpeg.tobytes())
            entries.append({"index": one.index, "inlier_ratio": round(one.inlier_ratio, 3), "file": path.name})
        return entries


def _encoded(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    if width > _MAX_WIDTH:
        size = (_MAX_WIDTH, round(height * _MAX_WIDTH / width))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    encoded, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert encoded
    return np.asarray(jpeg, np.uint8)
