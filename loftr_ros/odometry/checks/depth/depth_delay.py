"""Detects depth images that were taken earlier or later than the color images with the same stamps.

Two measurements must agree.

- Depth edges coincide with color edges. If the depth image is delayed by some frames, they coincide after a shift by
  that multiple of the image motion per frame. So the mean color gradient at the shifted depth edges, as a function of
  the multiple, has its peak at the delay. Parallel edges, as of door frames, may cause another peak.
- The depth image of the keyframe should explain the triangulated depth of its points. If depth is delayed, that of a
  later frame explains it better. In slow motion both hardly differ.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.depth.registration_check import (
    DEPTH_SIGMA,
    MAX_MATCHES,
    MIN_PARALLAX_PX,
    MIN_POINTS,
    OUTLIER_COST,
    squared_residuals_of_multiples,
    triangulated_by_motion,
)
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.subsampling import subsampled
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.two_view import TwoViewGeometry

# Tested delays, frames; larger shifts reach other edges in repetitive scenes.
_DELAYS = np.arange(-3, 4)
_UNDELAYED = len(_DELAYS) // 2
# Number of stored depth images, and their pixel stride.
_MAX_FRAMES, _STRIDE = 16, 2
# Number of keyframes and motions after which only every fifteenth is used, sliding windows, and number of keyframes for
# a warning.
_DENSE_COUNT, _CADENCE, _WINDOW, _MIN_KEYFRAMES = 8, 15, 20, 4
# Width of the downsampled images, bounds of the number of edge pixels, and lower bound of the motion per frame: edges
# are located to a pixel.
_WIDTH, _MAX_EDGES, _MIN_EDGES, _MIN_MOTION_PX = 320, 3000, 50, 1.0
# Relative change of inverse depth within two pixels at a depth edge, and percentile at which gradients are clipped.
_DEPTH_EDGE, _CLIP_PERCENTILE = 0.1, 95.0
# A delay is significant if its median gradient, relative to the mean over all delays, is above the first, and above
# that without delay by the second; if it is the larger one in the third, a share of the keyframes; if the gradient
# without delay is below the fourth; and if the cost of delayed depth images, relative to undelayed ones, is below the
# last. With delays of 1 to 3 frames (corridor) gradients are 1.2 to 1.9 there and 0.7 to 1.1 without delay, and costs
# 0.67 to 0.95. Without a fault, gradients are at least 1.2 without delay, or costs at least 0.97; in the kitchen, whose
# depth images are not registered accurately enough, gradients are up to 1.2 at any delay.
_MIN_GRADIENT, _MIN_GAIN, _MIN_KEYFRAME_SHARE, _MAX_UNDELAYED, _MAX_COST_RATIO = 1.2, 1.15, 0.75, 1.14, 0.96


class DepthDelay:
    """Accumulates gradients at depth edges over keyframes, and costs of triangulated depth over motions."""

    def __init__(self) -> None:
        """Start without frames."""
        self._recent: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=_MAX_FRAMES)
        # Per keyframe: (delays,) color gradients at the depth edges, relative to their mean.
        self._gradients: deque[Array] = deque(maxlen=_WINDOW)
        # Per motion: (2, delays) costs of the triangulated depth for the undelayed and the delayed depth image.
        self._costs: deque[Array] = deque(maxlen=_WINDOW)
        self._keyframe_ns = -1
        self._keyframes = self._motions = 0
        self._delay = 0  # according to the edges, frames

    def add_frame(self, frame: Frame) -> None:
        """Store the depth image of the next frame."""
        if frame.depth is not None:
            self._recent.append((frame.stamp_ns, frame.depth[::_STRIDE, ::_STRIDE].copy()))

    def add_motion(
        self, keyframe: Keyframe[Any], matches: Matches, normalized: NormalizedMatches, motion: RelativePoseEstimate
    ) -> None:
        """Add a motion from a keyframe with depth image to the last frame; its matches in pixels and normalized."""
        stamps = [stamp_ns for stamp_ns, _ in self._recent]
        if keyframe.frame.stamp_ns not in stamps[:-1]:
            return
        keyframe_index = stamps.index(keyframe.frame.stamp_ns)
        is_general = motion.parallax_px >= MIN_PARALLAX_PX and motion.geometry is TwoViewGeometry.GENERAL
        is_possible = self._delay != 0 or len(self._gradients) < _MIN_KEYFRAMES
        if is_possible and is_general:  # the expensive measurement, unless the edges show no delay
            self._motions += 1
            if self._motions <= _DENSE_COUNT or self._motions % _CADENCE == 0:
                self._add_costs(keyframe_index, matches, normalized, keyframe.frame.camera.focal, motion)
        if keyframe.frame.stamp_ns == self._keyframe_ns:
            return
        inliers = matches.select(motion.inliers)
        if len(inliers) >= _MIN_EDGES:
            step = (inliers.points_b - inliers.points_a) / np.float32(len(stamps) - 1 - keyframe_index)
            self._add_gradients(keyframe.frame, inliers.points_a, step)

    @property
    def warning(self) -> InputWarning | None:
        """The warning with the delay in frames; None without a fault."""
        delay = self._delay
        if delay == 0 or not self._costs:
            return None
        undelayed, delayed = np.sum(self._costs, axis=0)
        compared = (undelayed > 0) & (np.sign(_DELAYS) == np.sign(delay))
        if not (delayed[compared] < _MAX_COST_RATIO * undelayed[compared]).any():
            return None
        text = (
            f"the depth images fit the color images of about {abs(delay)} frame{'s' if abs(delay) > 1 else ''} "
            f"{'before' if delay > 0 else 'after'} them: color and depth are of different times, or not aligned; "
            "synchronize them, and use depth that is aligned to the images"
        )
        return InputWarning(InputFault.DEPTH_TIMES, text)

    def _delay_by_edges(self) -> int:
        if len(self._gradients) < _MIN_KEYFRAMES:
            return 0
        gradients = np.array(self._gradients)
        typical = np.median(gradients, axis=0)
        best = int(typical.argmax())
        is_common = (gradients[:, best] > gradients[:, _UNDELAYED]).mean() >= _MIN_KEYFRAME_SHARE
        is_large = typical[best] > max(_MIN_GRADIENT, _MIN_GAIN * typical[_UNDELAYED])
        return int(_DELAYS[best]) if is_common and is_large and typical[_UNDELAYED] < _MAX_UNDELAYED else 0

    def _add_gradients(self, frame: Frame, points: NDArray[np.float32], step: NDArray[np.float32]) -> None:
        if np.median(np.abs(step).max(axis=1)) * _WIDTH < _MIN_MOTION_PX * frame.camera.width:
            return
        self._keyframe_ns, self._keyframes = frame.stamp_ns, self._keyframes + 1
        if self._keyframes <= _DENSE_COUNT or self._keyframes % _CADENCE == 0:
            gradients = _gradients_by_delay(frame, points, step)
            if gradients is not None:
                self._gradients.append(gradients)
                self._delay = self._delay_by_edges()

    def _add_costs(
        self,
        keyframe_index: int,
        matches: Matches,
        normalized: NormalizedMatches,
        focal: float,
        motion: RelativePoseEstimate,
    ) -> None:
        sampled = subsampled(np.ones(len(normalized), bool), MAX_MATCHES)
        found = triangulated_by_motion(normalized.select(sampled).without_depth(), focal, motion.T_keyframe_camera)
        if found is None:
            return
        certain, value, sigma = found
        sigma = np.hypot(sigma, DEPTH_SIGMA * value)
        undelayed = self._recent[keyframe_index][1]
        pixels = np.rint(matches.points_a[sampled][certain] / _STRIDE).astype(int)
        x, y = np.clip(pixels, 0, (undelayed.shape[1] - 1, undelayed.shape[0] - 1)).T
        costs = np.zeros((2, len(_DELAYS)))
        for index, delay in enumerate(_DELAYS):
            other = keyframe_index + delay
            if not 0 <= other < len(self._recent) or self._recent[other][1].shape != undelayed.shape:
                continue
            measured = np.stack([undelayed[y, x], self._recent[other][1][y, x]]).astype(np.float64)
            is_valid = ((measured > 0) & np.isfinite(measured)).all(axis=0)
            if is_valid.sum() >= MIN_POINTS:
                squared = squared_residuals_of_multiples(1.0 / measured[:, is_valid], value[is_valid], sigma[is_valid])
                costs[:, index] = np.minimum(squared, OUTLIER_COST).sum(axis=1)
        self._costs.append(costs)


def _gradients_by_delay(frame: Frame, points: NDArray[np.float32], motion: NDArray[np.float32]) -> Array | None:
    """Return the (delays,) mean color gradients at the depth edges, relative to their mean; None for too few edges.

    Args:
        frame: with color and depth image.
        points: (N, 2) pixels.
        motion: (N, 2) image motion of the points per frame, pixels.
    """
    assert frame.depth is not None
    stride = max(round(frame.depth.shape[1] / _WIDTH), 1)
    edges = _depth_edges(frame.depth[::stride, ::stride])
    edges = edges[:: max(len(edges) // _MAX_EDGES, 1)]
    if len(edges) < _MIN_EDGES:
        return None
    height, width = frame.depth.shape[0] // stride, frame.depth.shape[1] // stride
    small = cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    gradient = np.hypot(cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1))
    gradient = np.minimum(gradient, np.percentile(gradient, _CLIP_PERCENTILE))
    moved = motion[cKDTree(points / stride).query(edges)[1]] / stride
    moving = np.linalg.norm(moved, axis=1) > _MIN_MOTION_PX
    if moving.sum() < _MIN_EDGES:
        return None
    shifted = edges[moving] + _DELAYS[:, None, None] * moved[moving]
    column, row = np.rint(shifted).astype(int).transpose(2, 0, 1)
    inside = ((column > 0) & (column < width - 1) & (row > 0) & (row < height - 1)).all(axis=0)
    if inside.sum() < _MIN_EDGES:
        return None
    means = gradient[row[:, inside], column[:, inside]].mean(axis=1).astype(np.float64)
    return means / max(float(means.mean()), 1e-9)


def _depth_edges(depth: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N, 2) pixels x, y with a jump of inverse depth between valid neighbors."""
    with np.errstate(divide="ignore"):
        rho = np.where((depth > 0) & np.isfinite(depth), 1.0 / depth, np.nan)
    across, down = np.abs(rho[1:-1, 2:] - rho[1:-1, :-2]), np.abs(rho[2:, 1:-1] - rho[:-2, 1:-1])
    row, column = np.nonzero(np.fmax(across, down) > _DEPTH_EDGE * rho[1:-1, 1:-1])
    return np.column_stack([column, row]) + 1
