"""Scale of a single camera: robust filter of the meters per unit of length."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry.robust import CAUCHY_SIGMAS, cauchy_weights
from loftr_ros.odometry.states import TrackingState

# Window of samples, and least number of them for a known scale: fewer may all be outliers.
_WINDOW = 30
_MIN_SAMPLES = 3
# Relative standard deviation below which the scale is known.
_KNOWN_SIGMA = 0.1
# Relative standard deviation of the length of a step above which its unit is a new one.
_UNDETERMINED_SIGMA = 0.9


@dataclass(frozen=True)
class Scale:
    """Meters per unit of length.

    Attributes:
        value: meters per unit.
        sigma: its relative standard deviation. The initial unit is the median distance of the scene, so the prior is
            wide: a desk or a hillside.
        known: whether scaled lengths are metric; before, the value is a guess.
    """

    value: float = 1.0
    sigma: float = 10.0
    known: bool = False


@dataclass(frozen=True)
class ScaleSample:
    """One measurement of the scale.

    Attributes:
        log_scale: natural logarithm of meters per unit.
        sigma: its standard deviation.
    """

    log_scale: float
    sigma: float


@dataclass(frozen=True)
class KeyframeStep:
    """Motion from one keyframe to the next, in units.

    Attributes:
        estimate: of the frame that is the next keyframe.
        keyframe_ns: stamp of the previous keyframe.
        T_keyframe_camera: (4, 4) pose of the next keyframe in the previous one.
        covariance: (6, 6) of it, see `se3`.
    """

    estimate: OdometryEstimate
    keyframe_ns: int
    T_keyframe_camera: Array
    covariance: Array

    @property
    def has_new_unit(self) -> bool:
        """Whether lengths from here on are in another unit: no depth has determined the length of this step."""
        lost = self.estimate.state is TrackingState.LOST
        is_determined = length_sigma(self.T_keyframe_camera, self.covariance) <= _UNDETERMINED_SIGMA  # False for NaN
        return lost or not is_determined

    def speed_at(self, log_scale: float) -> float:
        """Return the speed of this motion at a scale, the logarithm of meters per unit, in m/s."""
        seconds = 1e-9 * (self.estimate.stamp_ns - self.keyframe_ns)
        with np.errstate(over="ignore"):
            return float(np.exp(log_scale) * np.linalg.norm(self.T_keyframe_camera[:3, 3]) / seconds)


def length_sigma(T: Array, covariance: Array) -> float:
    """Return the relative standard deviation of the length of a translation; infinite for a zero translation.

    Args:
        T: (4, 4).
        covariance: (6, 6) of it, see `se3`.
    """
    length = float(np.linalg.norm(T[:3, 3]))
    if length == 0.0:
        return np.inf
    along = T[:3, 3] / length
    return float(np.sqrt(along @ covariance[:3, :3] @ along)) / length


class ScaleSource(Protocol):
    """Measures the scale."""

    common_sigma: float
    """Relative standard deviation of the error that all its samples share, which no number of samples averages out."""

    def samples(self, step: KeyframeStep) -> Sequence[ScaleSample]:
        """Return the measurements that the next keyframe makes possible."""
        ...


class ScaleFilter:
    """Fixed-window smoother of scale samples.

    The logarithm of the scale is a random walk, because the unit of a single camera drifts from keyframe to keyframe.
    Its present value is the generalized least-squares solution over the window, whose covariance has the noise of each
    sample and the walk since then, which later samples share; IRLS with the Cauchy loss from the median start bounds
    the influence of outliers. Without samples the scale stays, and its uncertainty grows.
    """

    def __init__(self, common_sigma: float) -> None:
        """Start with an unknown scale; `common_sigma` is that of the source."""
        self._common_variance = common_sigma**2
        self._samples: deque[tuple[float, float, float]] = deque(maxlen=_WINDOW)  # log scale, variance, walk until then
        self._walk = 0.0  # accumulated variance of the walk
        self._known = False

    def add(self, sample: ScaleSample) -> None:
        """Add a sample, unless it is not finite, as of a scene at the limits of the numbers."""
        if np.isfinite([sample.log_scale, sample.sigma**2]).all():
            self._samples.append((sample.log_scale, sample.sigma**2, self._walk))

    def drift(self, sigma: float) -> None:
        """Predict: a step of the random walk with this relative standard deviation."""
        self._walk += sigma**2

    def restart(self, sigma: float) -> None:
        """Replace all samples by one at the present scale, with this standard deviation."""
        if self._samples:
            value = float(np.log(self.scale.value))
            self._samples.clear()
            self.add(ScaleSample(value, sigma))

    @property
    def scale(self) -> Scale:
        """The present scale; once known it stays known, whatever its uncertainty."""
        if not self._samples:
            return Scale()
        value, variance = self._solve(*np.array(self._samples).T)
        sigma = float(np.sqrt(variance + self._common_variance))
        self._known = self._known or (len(self._samples) >= _MIN_SAMPLES and sigma < _KNOWN_SIGMA)
        return Scale(float(np.exp(value)), sigma, self._known)

    def _solve(self, samples: Array, variances: Array, walk_then: Array) -> tuple[float, float]:
        """Return the logarithm of the scale and its variance."""
        walk_since = self._walk - walk_then
        shared = np.minimum.outer(walk_since, walk_since)
        value, variance = float(np.median(samples)), np.inf
        for _ in range(10):
            weights = cauchy_weights(((samples - value) ** 2 / (variances + walk_since)) / CAUCHY_SIGMAS**2)
            information = np.linalg.inv(shared + np.diag(variances / weights)).sum(axis=0)
            variance = 1.0 / float(information.sum())
            value = variance * float(information @ samples)
        return value, variance
