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
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.depth.edge_gradients import (
    DELAYS,
    MIN_EDGES,
    MIN_MOTION_PX,
    UNDELAYED,
    WIDTH,
    gradients_by_delay,
)
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
from loftr_ros.odometry.checks.subsampling import evenly, subsampled
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.geometry.robust import median
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.two_view import TwoViewGeometry

# Number of depth images kept, and the stride of the pixels used.
_MAX_FRAMES, _STRIDE = 16, 2
# Number of keyframes and of motions after which only every fifteenth is used, sliding windows, and number of keyframes
# for a warning.
_DENSE_KEYFRAMES, _DENSE_MOTIONS, _CADENCE, _WINDOW, _MIN_KEYFRAMES = 5, 8, 15, 20, 4
# A delay is significant if its median gradient, relative to the mean over all delays, is above the first, and above
# that without delay by the second; if it is the larger one in the third, a share of the keyframes; if the gradient
# without delay is below the fourth; and if the cost of delayed depth images, relative to undelayed ones, is below the
# last. With delays of 1 to 3 frames (corridor) gradients are 1.2 to 1.9 there and 0.7 to 1.1 without delay, and costs
# 0.67 to 0.95. Without a fault, gradients are at least 1.2 without delay, or costs at least 0.97; in the kitchen, whose
# depth images are not registered accurately enough, gradients are up to 1.2 at any delay.
_MIN_GRADIENT, _MIN_GAIN, _MIN_KEYFRAME_SHARE, _MAX_UNDELAYED, _MAX_COST_RATIO = 1.2, 1.15, 0.75, 1.14, 0.96


@dataclass(frozen=True)
class _Triangulation:
    """Matches of a motion, to triangulate, and the depths at their points in depth images.

    Attributes:
        matches: N, subsampled.
        measured: (delays, N) of the depth images around the keyframe, meters; zero without an image.
        focal: pixels.
        T_a_b: (4, 4) motion.
    """

    matches: NormalizedMatches
    measured: Array
    focal: float
    T_a_b: Array


class DepthDelay:
    """Accumulates gradients at depth edges over keyframes, and costs of triangulated depth over motions.

    The costs take milliseconds, so they are evaluated only after the edges show a delay, for the motions before, too.

    Attributes:
        warning: with the delay in frames; None without a fault.
    """

    def __init__(self) -> None:
        """Start without frames."""
        # Stamps and depth images; images are kept only while there may be a delay.
        self._recent: deque[tuple[int, NDArray[np.float32] | None]] = deque(maxlen=_MAX_FRAMES)
        # Per keyframe: (delays,) color gradients at the depth edges, relative to their mean.
        self._gradients: deque[Array] = deque(maxlen=_WINDOW)
        self._pending: deque[_Triangulation] = deque(maxlen=_DENSE_MOTIONS)
        # Per motion: (2, delays) costs of the triangulated depth for the undelayed and the delayed depth image.
        self._costs: deque[Array] = deque(maxlen=_WINDOW)
        self._keyframe_ns = -1
        self._keyframes = self._motions = 0
        self._delay = 0  # according to the edges, frames
        self.warning: InputWarning | None = None

    def add_frame(self, frame: Frame) -> None:
        """Keep the depth image of the next frame."""
        if frame.depth is not None:
            depth = frame.depth[::_STRIDE, ::_STRIDE] if self._is_possible else None
            self._recent.append((frame.stamp_ns, depth))

    def add_motion(
        self, keyframe: Keyframe[Any], matches: Matches, normalized: NormalizedMatches, motion: RelativePoseEstimate
    ) -> None:
        """Add a motion from a keyframe with depth image to the last frame; its matches in pixels and normalized."""
        stamps = [stamp_ns for stamp_ns, _ in self._recent]
        if keyframe.frame.stamp_ns not in stamps[:-1]:
            return
        keyframe_index = stamps.index(keyframe.frame.stamp_ns)
        is_general = motion.parallax_px >= MIN_PARALLAX_PX and motion.geometry is TwoViewGeometry.GENERAL
        if self._is_possible and is_general:
            self._motions += 1
            if self._motions <= _DENSE_MOTIONS or self._motions % _CADENCE == 0:
                self._add_triangulation(keyframe_index, matches, normalized, keyframe.frame.camera.focal, motion)
        if keyframe.frame.stamp_ns != self._keyframe_ns and np.count_nonzero(motion.inliers) >= MIN_EDGES:
            self._add_gradients(keyframe.frame, matches, motion.inliers, len(stamps) - 1 - keyframe_index)
        if self._delay:
            self._costs.extend(costs for costs in map(_costs, self._pending) if costs is not None)
            self._pending.clear()
        self.warning = self._evaluate()

    @property
    def _is_possible(self) -> bool:
        """Whether the edges show a delay, or are too few to tell."""
        return self._delay != 0 or len(self._gradients) < _MIN_KEYFRAMES

    def _evaluate(self) -> InputWarning | None:
        delay = self._delay
        if delay == 0 or not self._costs:
            return None
        undelayed, delayed = np.sum(self._costs, axis=0)
        compared = (undelayed > 0) & (np.sign(DELAYS) == np.sign(delay))
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
        is_common = (gradients[:, best] > gradients[:, UNDELAYED]).mean() >= _MIN_KEYFRAME_SHARE
        is_large = typical[best] > max(_MIN_GRADIENT, _MIN_GAIN * typical[UNDELAYED])
        return int(DELAYS[best]) if is_common and is_large and typical[UNDELAYED] < _MAX_UNDELAYED else 0

    def _add_gradients(self, frame: Frame, matches: Matches, inliers: NDArray[np.bool_], frames: int) -> None:
        """Add a keyframe, its matches, and the number of frames between both images."""
        some = subsampled(inliers, MAX_MATCHES)
        typical = median(np.abs(matches.points_b[some] - matches.points_a[some]).max(axis=1)) / frames
        if typical * WIDTH < MIN_MOTION_PX * frame.camera.width:
            return
        self._keyframe_ns, self._keyframes = frame.stamp_ns, self._keyframes + 1
        if self._keyframes > _DENSE_KEYFRAMES and self._keyframes % _CADENCE:
            return
        points = matches.points_a[inliers]
        gradients = gradients_by_delay(frame, points, (matches.points_b[inliers] - points) / np.float32(frames))
        if gradients is not None:
            self._gradients.append(gradients)
            self._delay = self._delay_by_edges()
            if self._delay == 0 and len(self._gradients) >= _MIN_KEYFRAMES:
                self._forget_motions()

    def _forget_motions(self) -> None:
        """Drop the motions and the depth images: the edges show no delay."""
        self._motions = 0
        self._pending.clear()
        self._costs.clear()
        self._recent = deque(((stamp_ns, None) for stamp_ns, _ in self._recent), maxlen=_MAX_FRAMES)

    def _add_triangulation(
        self,
        keyframe_index: int,
        matches: Matches,
        normalized: NormalizedMatches,
        focal: float,
        motion: RelativePoseEstimate,
    ) -> None:
        undelayed = self._recent[keyframe_index][1]
        if undelayed is None:
            return
        sampled = evenly(len(normalized), MAX_MATCHES)
        pixels = np.rint(matches.points_a[sampled] / _STRIDE).astype(int)
        x, y = np.clip(pixels, 0, (undelayed.shape[1] - 1, undelayed.shape[0] - 1)).T
        measured = np.zeros((len(DELAYS), len(x)))
        for index, delay in enumerate(DELAYS):
            other = keyframe_index + delay
            depth = self._recent[other][1] if 0 <= other < len(self._recent) else None
            if depth is not None and depth.shape == undelayed.shape:
                measured[index] = depth[y, x]
        self._pending.append(_Triangulation(normalized.select(sampled), measured, focal, motion.T_keyframe_camera))


def _costs(motion: _Triangulation) -> Array | None:
    """Return the (2, delays) costs of the undelayed and the delayed depth images; None without triangulated points."""
    found = triangulated_by_motion(motion.matches, motion.focal, motion.T_a_b)
    if found is None:
        return None
    certain, value, sigma = found
    sigma = np.hypot(sigma, DEPTH_SIGMA * value)
    depths = motion.measured[:, certain]
    costs = np.zeros((2, len(DELAYS)))
    for index, delayed in enumerate(depths):
        measured = np.stack([depths[UNDELAYED], delayed])
        is_valid = ((measured > 0) & np.isfinite(measured)).all(axis=0)
        if is_valid.sum() >= MIN_POINTS:
            squared = squared_residuals_of_multiples(1.0 / measured[:, is_valid], value[is_valid], sigma[is_valid])
            costs[:, index] = np.minimum(squared, OUTLIER_COST).sum(axis=1)
    return costs
