"""Metric odometry of a single camera: `VisualOdometry`, which stays in units, and a scale source.

Each keyframe keeps the best scale of its time, and the poses of frames are composed in meters from keyframe to
keyframe. So a better scale applies from the next keyframe on: the published path is never rescaled and has no jumps.
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

# Relative standard deviation of the unit: drift from keyframe to keyframe, and of a new unit against the old one.
_DRIFT_SIGMA, _NEW_UNIT_SIGMA = 0.005, 0.5


@dataclass(frozen=True)
class _MetricPose:
    """A pose in meters.

    Attributes:
        T: (4, 4).
        covariance: (6, 6), without the errors of the scale.
        scale_error: (3,) error of the position if all scales on the path are too large by one standard deviation. They
            are fully correlated, so it accumulates along the path, and cancels on the way back.
    """

    T: Array
    covariance: Array
    scale_error: Array

    def composed(self, T: Array, covariance: Array, scale: Scale) -> _MetricPose:
        """Compose with a motion in units, and its covariance."""
        to_meters = np.diag([scale.value] * 3 + [1.0] * 3)
        step = se3.transform(T[:3, :3], scale.value * T[:3, 3])
        return _MetricPose(
            T=self.T @ step,
            covariance=se3.composed_covariance(self.T, self.covariance, step, to_meters @ covariance @ to_meters),
            scale_error=self.scale_error + scale.sigma * self.T[:3, :3] @ step[:3, 3],
        )


@dataclass(frozen=True)
class _ScaledKeyframe:
    """The last keyframe: pose and covariance in units, pose in meters, and its scale."""

    stamp_ns: int
    T: Array
    covariance: Array
    pose: _MetricPose
    scale: Scale

    def step(self, estimate: OdometryEstimate) -> KeyframeStep:
        """Return the motion since the keyframe, in units."""
        T = se3.inverse(self.T) @ estimate.T_odom_camera
        by_start = se3.translation_adjoint(self.T[:3, :3] @ T[:3, 3])
        to_keyframe = se3.rotation_adjoint(self.T[:3, :3].T)
        own = to_keyframe @ (estimate.pose_covariance - by_start @ self.covariance @ by_start.T) @ to_keyframe.T
        # After a relocalization the pose may be more certain than that of the keyframe.
        return KeyframeStep(
            estimate=estimate, keyframe_ns=self.stamp_ns, T_keyframe_camera=T, covariance=se3.positive_part(own)
        )


class MetricOdometry(Generic[FeaturesT]):
    """`VisualOdometry` scaled by `scale_source`; with "none" it is the same. Not thread-safe.

    `OdometryEstimate.scale_known` is whether lengths are metric. Until then they are provisional: in units of the
    median distance of the first scene, or by the few scale samples so far; the covariance includes that.
    """

    def __init__(
        self, matcher: Matcher[FeaturesT], config: OdometryConfig | None = None, wheels: PositionBuffer | None = None
    ) -> None:
        """Start at the origin of odom.

        Args:
            matcher: of images.
            config: settings.
            wheels: positions for the scale source "odometry", which the caller adds as they arrive.
        """
        self._config = config or OdometryConfig()
        self._odometry = VisualOdometry(matcher, self._config)
        self._wheels = wheels or PositionBuffer()
        self.reset()

    def reset(self) -> None:
        """Drop all state; the next frame is the origin of odom again."""
        self._odometry.reset()
        self._source = _source(self._config, self._wheels)
        self._filter = ScaleFilter(self._source.common_sigma if self._source else 0.0)
        origin = _MetricPose(np.eye(4), np.zeros((6, 6)), np.zeros(3))
        self._keyframe = _ScaledKeyframe(-1, np.eye(4), np.zeros((6, 6)), origin, Scale())

    def reconfigure(self, config: OdometryConfig) -> None:
        """Apply changed settings from the next frame on; only `runtime` fields of `OdometryConfig` may differ."""
        self._config = config
        self._odometry.reconfigure(config)

    def invalidate_keyframe_features(self) -> None:
        """Extract the features of the keyframe again with the next frame: the matcher's settings have changed."""
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
            pose = self._keyframe.pose.composed(step.T_keyframe_camera, step.covariance, scale)
            if estimate.is_keyframe:
                self._update_scale(self._source, step)
                self._keyframe = _ScaledKeyframe(
                    stamp_ns=estimate.stamp_ns,
                    T=estimate.T_odom_camera,
                    covariance=estimate.pose_covariance,
                    pose=pose,
                    scale=self._filter.scale,
                )
        scaled = _in_meters(estimate, pose, scale)
        return replace(scaled, timings_ms={**estimate.timings_ms, **clock.timings_ms})

    def _update_scale(self, source: ScaleSource, step: KeyframeStep) -> None:
        """Predict the scale to the next keyframe, and update it by the samples of the source."""
        self._filter.drift(_DRIFT_SIGMA)
        if step.has_new_unit:
            self._filter.restart(_NEW_UNIT_SIGMA)
        for sample in source.samples(step):
            if step.speed_at(sample.log_scale) <= self._config.max_speed:  # False for NaN
                self._filter.add(sample)


def _source(config: OdometryConfig, wheels: PositionBuffer) -> ScaleSource | None:
    if config.scale_source == "odometry":
        return WheelScale(wheels, config.max_speed)
    return GroundScale(config) if config.scale_source == "camera_height" else None


def _in_meters(estimate: OdometryEstimate, pose: _MetricPose, scale: Scale) -> OdometryEstimate:
    """Return an estimate in units with this pose, and with twist and landmarks scaled."""
    to_meters = np.diag([scale.value] * 3 + [1.0] * 3)
    twist = to_meters @ estimate.twist
    twist_covariance = to_meters @ estimate.twist_covariance @ to_meters
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
