"""The scale of a single camera: metres per unit of length, from measurements that err and sometimes lie."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.states import TrackingState

# Samples that are remembered, and how many it takes to be sure that they are not all wrong.
_WINDOW = 30
_ENOUGH = 3
# The scale is called known when its standard deviation is below this, as a share.
_SURE = 0.1
# A step whose length is less certain than this, as a share, has a length that was guessed.
_UNDETERMINED = 0.9
# Deviations beyond this many standard deviations lose their say.
_LOSS_SCALE = 2.0


@dataclass(frozen=True)
class Scale:
    """Metres per unit.

    Attributes:
        value: metres per unit.
        sigma: its standard deviation, as a share of it. At first the unit is the distance of what the camera sees,
            which may be a desk or a hillside.
        known: whether lengths that are multiplied by it can be called metres; before, it is a guess.
    """

    value: float = 1.0
    sigma: float = 10.0
    known: bool = False


@dataclass(frozen=True)
class ScaleSample:
    """One measurement of the scale.

    Attributes:
        log_scale: natural logarithm of metres per unit.
        sigma: its standard deviation.
    """

    log_scale: float
    sigma: float


@dataclass(frozen=True)
class KeyframeStep:
    """From one keyframe to the next, in units.

    Attributes:
        estimate: of the frame that is the next keyframe.
        keyframe_ns: stamp of the keyframe before.
        T_keyframe_camera: (4, 4) pose of the next one in the one before.
        covariance: (6, 6) of it, see `se3`.
    """

    estimate: OdometryEstimate
    keyframe_ns: int
    T_keyframe_camera: Array
    covariance: Array

    @property
    def has_new_unit(self) -> bool:
        """Whether lengths from here on are in another unit: no depth has told how long this step is."""
        lost = self.estimate.state is TrackingState.LOST
        return lost or length_sigma(self.T_keyframe_camera, self.covariance) > _UNDETERMINED


def length_sigma(T: Array, covariance: Array) -> float:
    """Return the standard deviation of the length of a translation, as a share of it; infinite for none at all."""
    length = float(np.linalg.norm(T[:3, 3]))
    if length == 0.0:
        return np.inf
    along = T[:3, 3] / length
    return float(np.sqrt(along @ covariance[:3, :3] @ along)) / length


class ScaleSource(Protocol):
    """Measures the scale."""

    common_sigma: float
    """Standard deviation of what all its samples have in common, so that no number of them averages it out."""

    def samples(self, step: KeyframeStep) -> Sequence[ScaleSample]:
        """Return what can be measured now that there is one more keyframe."""
        ...


class ScaleFilter:
    """Fuses the samples of late.

    The logarithm of the scale is a random walk, because a single camera's unit drifts from keyframe to keyframe. What
    the samples in a window say about its present value is solved by generalized least squares, whose covariance holds
    the noise of each sample and the walk since it, which later samples share; reweighted by a Cauchy loss, from the
    median, so that neither a bad sample nor a bad start lasts. Without samples the scale stays, less and less certain.
    """

    def __init__(self, common_sigma: float) -> None:
        """Start with a scale that is not known; `common_sigma` is that of the source."""
        self._common_variance = common_sigma**2
        self._samples: deque[tuple[float, float, float]] = deque(maxlen=_WINDOW)  # log scale, variance, walk until then
        self._walk = 0.0  # variance of all steps of the walk so far
        self._known = False

    def add(self, sample: ScaleSample) -> None:
        """Take a sample."""
        self._samples.append((sample.log_scale, sample.sigma**2, self._walk))

    def drift(self, sigma: float) -> None:
        """Let the scale walk by a step of this standard deviation, as a share."""
        self._walk += sigma**2

    def restart(self, sigma: float) -> None:
        """Count what is known so far as one sample, and no more certain than this."""
        if self._samples:
            value = float(np.log(self.scale.value))
            self._samples.clear()
            self.add(ScaleSample(value, sigma))

    @property
    def scale(self) -> Scale:
        """The present scale; once known it stays so, whatever its uncertainty."""
        if not self._samples:
            return Scale()
        value, variance = self._solve(*np.array(self._samples).T)
        sigma = float(np.sqrt(variance + self._common_variance))
        self._known = self._known or (len(self._samples) >= _ENOUGH and sigma < _SURE)
        return Scale(float(np.exp(value)), sigma, self._known)

    def _solve(self, samples: Array, variances: Array, walked: Array) -> tuple[float, float]:
        """Return the logarithm of the scale and its variance."""
        since = self._walk - walked
        shared = np.minimum.outer(since, since)
        value, variance = float(np.median(samples)), np.inf
        for _ in range(10):
            weights = 1.0 / (1.0 + ((samples - value) ** 2 / (variances + since)) / _LOSS_SCALE**2)
            information = np.linalg.inv(shared + np.diag(variances / weights)).sum(axis=0)
            variance = 1.0 / float(information.sum())
            value = variance * float(information @ samples)
        return value, variance
