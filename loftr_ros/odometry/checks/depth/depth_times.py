"""Depth images that are stamped as the color images but were taken earlier or later.

Two measurements have to agree on it.

- The edges of a depth image lie on edges of the color image. If the depth image is some frames late, they lie where the
  color edges were then: moved by that multiple of the image motion of a frame, they meet the color edges again. So the
  mean color gradient under the depth edges, as a function of the multiple, peaks at the delay. Parallel edges, as of
  door frames, may make a peak of their own.
- The depth image of the keyframe should explain the depth that the motion of the images gives to its points. That of a
  later frame explains it better if depth is late. While the camera moves slowly, both hardly differ.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.depth.registration_check import (
    DEPTH_SIGMA,
    LARGEST_COST,
    LEAST_PARALLAX_PX,
    LEAST_POINTS,
    MANY,
    deviations_from_multiples,
    triangulated_by_motion,
)
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.thinning import thinned
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.two_view import TwoViewGeometry

# Delays that are tried, frames. Farther, other edges of a repetitive scene come in between.
_DELAYS = np.arange(-3, 4)
_UNDELAYED = len(_DELAYS) // 2
# Frames that are remembered, and the pixel stride of their depth images.
_REMEMBERED, _STRIDE = 16, 2
# Keyframes and motions used: each of the first, then every fifteenth. Sliding windows, and the least number of
# keyframes for a warning.
_SOON, _EVERY, _WINDOW, _LEAST_KEYFRAMES = 12, 15, 20, 4
# Width of the images that are compared, largest and least number of edge pixels, and their least motion in a frame:
# edges are found to a pixel.
_WIDTH, _MOST, _FEW, _LEAST_MOTION_PX = 320, 3000, 50, 1.0
# A depth edge: inverse depth changes by this share within two pixels. Gradients are clipped at this percentile.
_DEPTH_EDGE, _CLIPPED = 0.1, 95.0
# A delay is one if its median gradient is this multiple of the mean over all delays and of that without delay; it is
# the larger one in this share of the keyframes; the gradient without delay is hardly above the mean; and delayed depth
# images cost less than this share. With delays of 1 to 3 frames (corridor) gradients are 1.2 to 1.9 there and 0.7 to
# 1.1 without delay, and costs 0.67 to 0.95. In order, gradients are 1.2 and more without delay, or costs 0.97 and more;
# and gradients are up to 1.2 at any delay in the kitchen, whose depth images are not registered well enough to tell.
_LEAST_GRADIENT, _LEAST_GAIN, _MOST_KEYFRAMES, _LARGEST_UNDELAYED, _LARGEST_COST_RATIO = 1.2, 1.15, 0.75, 1.14, 0.96


class DepthTimes:
    """Accumulates both measurements over keyframes and motions."""

    def __init__(self) -> None:
        """Start without any frames."""
        self._recent: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=_REMEMBERED)
        # Each keyframe: (delays,) color gradients under the depth edges, over their mean.
        self._gradients: deque[NDArray[np.float64]] = deque(maxlen=_WINDOW)
        # Each motion: (2, delays) costs of the triangulated depth by the undelayed and the delayed depth image.
        self._costs: deque[NDArray[np.float64]] = deque(maxlen=_WINDOW)
        self._keyframe_ns = -1
        self._keyframes = self._motions = 0

    def add_frame(self, frame: Frame) -> None:
        """Take the next frame."""
        if frame.depth is not None:
            self._recent.append((frame.stamp_ns, frame.depth[::_STRIDE, ::_STRIDE].copy()))

    def add_motion(
        self, keyframe: Keyframe[Any], matches: Matches, rays: NormalizedMatches, motion: RelativePoseEstimate
    ) -> None:
        """Take a motion from a keyframe that has a depth image to the last frame; matches in pixels and as rays."""
        stamps = [stamp_ns for stamp_ns, _ in self._recent]
        if keyframe.frame.stamp_ns not in stamps[:-1]:
            return
        place = stamps.index(keyframe.frame.stamp_ns)
        if motion.parallax_px >= LEAST_PARALLAX_PX and motion.geometry is TwoViewGeometry.GENERAL:
            self._motions += 1
            if self._motions <= _SOON or self._motions % _EVERY == 0:
                self._add_costs(place, matches, rays, keyframe.frame.camera.focal, motion)
        seen = matches.select(motion.inliers)
        if keyframe.frame.stamp_ns != self._keyframe_ns and len(seen) >= _FEW:
            step = (seen.points_b - seen.points_a) / np.float32(len(stamps) - 1 - place)
            self._add_gradients(keyframe.frame, seen.points_a, step)

    @property
    def warning(self) -> InputWarning | None:
        """By how many frames the depth images are late or early, if they are."""
        delay = self._delay_by_edges()
        if delay == 0 or not self._costs:
            return None
        undelayed, delayed = np.sum(self._costs, axis=0)
        compared = (undelayed > 0) & (np.sign(_DELAYS) == np.sign(delay))
        if not (delayed[compared] < _LARGEST_COST_RATIO * undelayed[compared]).any():
            return None
        text = (
            f"the depth images fit the color images of about {abs(delay)} frame{'s' if abs(delay) > 1 else ''} "
            f"{'before' if delay > 0 else 'after'} them: color and depth are of different times, or not aligned; "
            "synchronize them, and use depth that is aligned to the images"
        )
        return InputWarning(InputFault.DEPTH_TIMES, text)

    def _delay_by_edges(self) -> int:
        if len(self._gradients) < _LEAST_KEYFRAMES:
            return 0
        gradients = np.array(self._gradients)
        typical = np.median(gradients, axis=0)
        best = int(typical.argmax())
        is_common = (gradients[:, best] > gradients[:, _UNDELAYED]).mean() >= _MOST_KEYFRAMES
        is_large = typical[best] > max(_LEAST_GRADIENT, _LEAST_GAIN * typical[_UNDELAYED])
        return int(_DELAYS[best]) if is_common and is_large and typical[_UNDELAYED] < _LARGEST_UNDELAYED else 0

    def _add_gradients(self, frame: Frame, points: NDArray[np.float32], step: NDArray[np.float32]) -> None:
        if np.median(np.abs(step).max(axis=1)) * _WIDTH < _LEAST_MOTION_PX * frame.camera.width:
            return
        self._keyframe_ns, self._keyframes = frame.stamp_ns, self._keyframes + 1
        if self._keyframes <= _SOON or self._keyframes % _EVERY == 0:
            gradients = _gradients_by_delay(frame, points, step)
            if gradients is not None:
                self._gradients.append(gradients)

    def _add_costs(
        self, place: int, matches: Matches, rays: NormalizedMatches, focal: float, motion: RelativePoseEstimate
    ) -> None:
        some = thinned(np.ones(len(rays), bool), MANY)
        found = triangulated_by_motion(rays.select(some).without_depth(), focal, motion.T_keyframe_camera)
        if found is None:
            return
        certain, value, sigma = found
        sigma = np.hypot(sigma, DEPTH_SIGMA * value)
        own = self._recent[place][1]
        pixels = np.rint(matches.points_a[some][certain] / _STRIDE).astype(int)
        x, y = np.clip(pixels, 0, (own.shape[1] - 1, own.shape[0] - 1)).T
        costs = np.zeros((2, len(_DELAYS)))
        for index, delay in enumerate(_DELAYS):
            if not 0 <= place + delay < len(self._recent) or self._recent[place + delay][1].shape != own.shape:
                continue
            seen = np.stack([own[y, x], self._recent[place + delay][1][y, x]]).astype(np.float64)
            good = ((seen > 0) & np.isfinite(seen)).all(axis=0)
            if good.sum() >= LEAST_POINTS:
                squared = deviations_from_multiples(1.0 / seen[:, good], value[good], sigma[good])
                costs[:, index] = np.minimum(squared, LARGEST_COST).sum(axis=1)
        self._costs.append(costs)


def _gradients_by_delay(
    frame: Frame, points: NDArray[np.float32], motion: NDArray[np.float32]
) -> NDArray[np.float64] | None:
    """Return the mean color gradient under the depth edges by delay, over that of all delays; None if edges are few.

    Args:
        frame: with color and depth.
        points: (N, 2) pixels.
        motion: (N, 2) of the points within a frame, pixels.
    """
    assert frame.depth is not None
    stride = max(round(frame.depth.shape[1] / _WIDTH), 1)
    edges = _depth_edges(frame.depth[::stride, ::stride])
    edges = edges[:: max(len(edges) // _MOST, 1)]
    if len(edges) < _FEW:
        return None
    height, width = frame.depth.shape[0] // stride, frame.depth.shape[1] // stride
    small = cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    gradient = np.hypot(cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1))
    gradient = np.minimum(gradient, np.percentile(gradient, _CLIPPED))
    moved = motion[cKDTree(points / stride).query(edges)[1]] / stride
    moving = np.linalg.norm(moved, axis=1) > _LEAST_MOTION_PX
    if moving.sum() < _FEW:
        return None
    places = edges[moving] + _DELAYS[:, None, None] * moved[moving]
    column, row = np.rint(places).astype(int).transpose(2, 0, 1)
    inside = ((column > 0) & (column < width - 1) & (row > 0) & (row < height - 1)).all(axis=0)
    if inside.sum() < _FEW:
        return None
    means = gradient[row[:, inside], column[:, inside]].mean(axis=1).astype(np.float64)
    return means / max(float(means.mean()), 1e-9)


def _depth_edges(depth: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N, 2) pixels x, y where inverse depth jumps between known neighbors."""
    with np.errstate(divide="ignore"):
        rho = np.where((depth > 0) & np.isfinite(depth), 1.0 / depth, np.nan)
    across, down = np.abs(rho[1:-1, 2:] - rho[1:-1, :-2]), np.abs(rho[2:, 1:-1] - rho[:-2, 1:-1])
    row, column = np.nonzero(np.fmax(across, down) > _DEPTH_EDGE * rho[1:-1, 1:-1])
    return np.column_stack([column, row]) + 1
