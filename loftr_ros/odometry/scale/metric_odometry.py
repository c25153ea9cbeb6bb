"""A single camera's odometry in metres: a layer over `VisualOdometry`, whose inner workings stay in units.

Each keyframe has a scale of its own, the best one of its time, and it keeps that: the poses of frames are composed in
metres from keyframe to keyframe. So a better scale changes the steps from the next keyframe on, and nothing that was
published is ever rescaled or jumps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.matches import FeaturesT, Matcher
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate, bounded_covariance
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.scale.filter import KeyframeStep, Scale, ScaleFilter, ScaleSource
from loftr_ros.odometry.scale.ground_plane import GroundScale
from loftr_ros.odometry.scale.wheel_scale import PositionBuffer, WheelScale
from loftr_ros.odometry.stage_clock import StageClock
from loftr_ros.odometry.visual_odometry import VisualOdometry

# From keyframe to keyframe the unit drifts by this share; a new unit is the old one as well as a guess can tell.
_DRIFT, _NEW_UNIT = 0.005, 0.5


@dataclass(frozen=True)
class _Pose:
    """A pose in metres.

    Attributes:
        T: (4, 4).
        covariance: (6, 6), without the errors of the scale.
        scale_error: (3,) by how much the position is off if all scales on the way are too large by one standard
            deviation. They err together, so this adds up along the path, and cancels on the way back.
    """

    T: Array
    covariance: Array
    scale_error: Array

    def moved(self, T: Array, covariance: Array, scale: Scale) -> _Pose:
        """Compose with a motion in units."""
        to_metres = np.diag([scale.value] * 3 + [1.0] * 3)
        step = se3.transform(T[:3, :3], scale.value * T[:3, 3])
        return _Pose(
            self.T @ step,
            se3.composed_covariance(self.T, self.covariance, step, to_metres @ covariance @ to_metres),
            self.scale_error + scale.sigma * self.T[:3, :3] @ step[:3, 3],
        )


@dataclass(frozen=True)
class _Keyframe:
    """The last keyframe: as the odometry has it, in units, and in metres by its scale."""

    stamp_ns: int
    T: Array
    covariance: Array
    pose: _Pose
    scale: Scale

    def step(self, estimate: OdometryEstimate) -> KeyframeStep:
        """Return the motion since, in units."""
        T = se3.inverse(self.T) @ estimate.T_odom_camera
        lever = np.eye(6)
        lever[:3, 3:] = -se3.skew(self.T[:3, :3] @ T[:3, 3])
        back = np.kron(np.eye(2), self.T[:3, :3].T)
        own = back @ (estimate.pose_covariance - lever @ self.covariance @ lever.T) @ back.T
        # The pose may be more certain than that of the keyframe: after a relocalization.
        return KeyframeStep(estimate, self.stamp_ns, T, se3.positive_part(own))


class MetricOdometry(Generic[FeaturesT]):
    """`VisualOdometry` with the scale that `scale_source` asks for; with "none" it is the same. Not thread-safe.

    `OdometryEstimate.scale_known` tells whether lengths are metres. Until they are, they are guesses: units of the
    distance of what it sees first, then metres by the few measurements of the scale so far; the covariance says so.
    """

    def __init__(
        self, matcher: Matcher[FeaturesT], config: OdometryConfig | None = None, wheels: PositionBuffer | None = None
    ) -> None:
        """Start at the origin of odom. `wheels` are read for the scale source "odometry"; who has them adds to them."""
        self._config = config or OdometryConfig()
        self._odometry = VisualOdometry(matcher, self._config)
        self._wheels = wheels or PositionBuffer()
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next frame is the origin of odom again."""
        self._odometry.reset()
        self._source = _source(self._config, self._wheels)
        self._filter = ScaleFilter(self._source.common_sigma if self._source else 0.0)
        origin = _Pose(np.eye(4), np.zeros((6, 6)), np.zeros(3))
        self._keyframe = _Keyframe(-1, np.eye(4), np.zeros((6, 6)), origin, Scale())

    def reconfigure(self, config: OdometryConfig) -> None:
        """Apply changed settings from the next frame on; only `runtime` fields of `OdometryConfig` may differ."""
        self._config = config
        self._odometry.reconfigure(config)

    def invalidate_keyframe_features(self) -> None:
        """Show the matcher the keyframe again with the next frame, because from then on it sees images otherwise."""
        self._odometry.invalidate_keyframe_features()

    def process(self, frame: Frame) -> OdometryEstimate:
        """Estimate the pose of the next frame. Raises what `VisualOdometry.process` does."""
        if self._source is None:
            return self._odometry.process(frame)
        scale = self._keyframe.scale
        self._odometry.set_unit(scale.value if scale.known else None)
        estimate = self._odometry.process(frame)
        clock = StageClock()
        with clock("scale"):
            step = self._keyframe.step(estimate)
            pose = self._keyframe.pose.moved(step.T_keyframe_camera, step.covariance, scale)
            if estimate.is_keyframe:
                self._measure(self._source, step)
                self._keyframe = _Keyframe(
                    estimate.stamp_ns, estimate.T_odom_camera, estimate.pose_covariance, pose, self._filter.scale
                )
        scaled = _in_metres(estimate, pose, scale)
        return replace(scaled, timings_ms={**estimate.timings_ms, **clock.timings_ms})

    def _measure(self, source: ScaleSource, step: KeyframeStep) -> None:
        """Bring the scale up to date."""
        self._filter.drift(_DRIFT)
        if step.has_new_unit:
            self._filter.restart(_NEW_UNIT)
        for sample in source.samples(step):
            self._filter.add(sample)


def _source(config: OdometryConfig, wheels: PositionBuffer) -> ScaleSource | None:
    if config.scale_source == "odometry":
        return WheelScale(wheels)
    return GroundScale(config) if config.scale_source == "camera_height" else None


def _in_metres(estimate: OdometryEstimate, pose: _Pose, scale: Scale) -> OdometryEstimate:
    """Give an estimate in units this pose, and its velocity this scale."""
    to_metres = np.diag([scale.value] * 3 + [1.0] * 3)
    twist = to_metres @ estimate.twist
    twist_covariance = to_metres @ estimate.twist_covariance @ to_metres
    twist_covariance[:3, :3] += scale.sigma**2 * np.outer(twist[:3], twist[:3])
    pose_covariance = pose.covariance.copy()
    pose_covariance[:3, :3] += np.outer(pose.scale_error, pose.scale_error)
    return replace(
        estimate,
        T_odom_camera=pose.T,
        pose_covariance=bounded_covariance(pose_covariance),
        twist=twist,
        twist_covariance=bounded_covariance(twist_covariance),
        scale_known=scale.known,
        landmarks=estimate.landmarks.scaled(scale.value) if estimate.landmarks else None,
    )
