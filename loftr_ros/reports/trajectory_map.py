"""Map of a growing trajectory from above, and of the ground truth until then. OpenCV only."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.reports.anchored_truth import AnchoredTruth

_ESTIMATE, _TRUTH, _INK, _PAPER = (178, 114, 0), (92, 178, 242), (60, 60, 60), (255, 255, 255)  # BGR
_MARGIN, _LEGEND = 24, 44  # pixels
_GROWTH = 1.25  # of the map when the path leaves it, so that it does not change in every frame
_MAX_POINTS = 4000  # drawn of a path


class TrajectoryMap:
    """Draws the trajectory so far: x right and z forward of the first camera."""

    def __init__(self, truth: Trajectory | None, remark: str = "") -> None:
        """Start an empty map; the remark is written on it."""
        self._truth, self._remark = AnchoredTruth(truth), remark
        self._path: list[Array] = []
        self._center, self._half = np.zeros(2), 1e-3
        self._T, self._metric = np.eye(4), False

    def add(self, estimate: OdometryEstimate) -> None:
        """Add the pose of the next frame."""
        self._T, self._metric = estimate.T_odom_camera, estimate.scale_known
        self._path.append(self._T[:3, 3])
        self._truth.add(estimate)

    def draw(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return the map, (H, W, 3) BGR."""
        canvas = np.full((height, width, 3), _PAPER, np.uint8)
        path, truth = _seen_from_above(self._path), _seen_from_above(self._truth.path)
        self._fit(np.concatenate([path, truth]))
        radius = 0.5 * min(width, height - _LEGEND) - _MARGIN
        scale = max(radius, 1.0) / self._half
        middle = np.array([0.5 * width, 0.5 * (height - _LEGEND)])
        pixels = [middle + scale * (points - self._center) * [1, -1] for points in (truth, path)]
        for points, color, thickness in zip(pixels, (_TRUTH, _ESTIMATE), (5, 2), strict=True):
            if len(points):
                cv2.polylines(canvas, [np.round(4 * points).astype(np.int32)], False, color, thickness, cv2.LINE_AA, 2)
        if len(path):
            self._draw_camera(canvas, pixels[1][-1])
        self._draw_legend(canvas, scale)
        return canvas

    def _fit(self, points: Array) -> None:
        """Move and enlarge the map if the path has left it."""
        if len(points) == 0 or np.abs(points - self._center).max() <= self._half:
            return
        low, high = points.min(axis=0), points.max(axis=0)
        self._center, self._half = (low + high) / 2, _GROWTH * max(float((high - low).max()) / 2, 1e-3)

    def _draw_camera(self, canvas: NDArray[np.uint8], at: Array) -> None:
        """Draw the camera as a triangle that points forward."""
        forward = self._T[[0, 2], 2] * [1, -1]
        length = np.linalg.norm(forward)
        forward = forward / length if length > 1e-6 else np.array([0.0, -1.0])
        side = np.array([-forward[1], forward[0]])
        corners = np.array([at + 10 * forward, at - 5 * forward + 6 * side, at - 5 * forward - 6 * side])
        cv2.fillConvexPoly(canvas, np.round(4 * corners).astype(np.int32), _INK, cv2.LINE_AA, 2)

    def _draw_legend(self, canvas: NDArray[np.uint8], scale: float) -> None:
        height, width = canvas.shape[:2]
        length = _round_length(0.3 * width / scale)
        unit = "m" if self._metric else "units"
        end = (int(12 + length * scale), height - 14)
        cv2.line(canvas, (12, height - 14), end, _INK, 2)
        _write(canvas, f"{length:g} {unit}", (12, height - 20))
        labels = [("estimate", _ESTIMATE), *([("ground truth", _TRUTH)] if self._truth.path else [])]
        for row, (label, color) in enumerate(labels):
            cv2.line(canvas, (width - 118, height - 28 + 16 * row), (width - 98, height - 28 + 16 * row), color, 4)
            _write(canvas, label, (width - 92, height - 24 + 16 * row))
        _write(canvas, "from above" + (f"; {self._remark}" if self._remark else ""), (8, 18))


def _seen_from_above(points: list[Array]) -> Array:
    """Return (N, 2) x and z of at most some thousand points, with the last."""
    step = max(1, len(points) // _MAX_POINTS)
    chosen = [*points[:-1:step], *points[-1:]]
    return np.array(chosen, np.float64).reshape(-1, 3)[:, [0, 2]]


def _round_length(length: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not longer."""
    power = 10.0 ** math.floor(math.log10(length))
    return power * max(factor for factor in (1, 2, 5) if factor * power <= length * 1.0001)


def _write(canvas: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    plain = text.replace("°", " deg")  # the font has no others
    cv2.putText(canvas, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
