"""The published pose: that of the odometry, with what all frames since the start have in common.

The gradual correction after a revisit, the errors of calibration and input, and whether lengths are metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Generic

from loftr_ros.arrays import Array
from loftr_ros.matches import FeaturesT, Matches
from loftr_ros.odometry.checks.input_checks import InputChecks
from loftr_ros.odometry.checks.length_error import LengthError
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate, bounded_covariance
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.mapping.landmarks import Landmarks
from loftr_ros.odometry.pose.estimator import COVARIANCE_FLOOR
from loftr_ros.odometry.tracking.gradual_correction import GradualCorrection
from loftr_ros.odometry.tracking.tracked_pose import TrackedPose


class PublishedPose(Generic[FeaturesT]):
    """Puts the estimates of the frames together.

    Attributes:
        correction: of the poses after a revisit.
    """

    def __init__(self, config: OdometryConfig, checks: InputChecks) -> None:
        """Start without a correction, errors or a metric length; `checks` give the errors of the input."""
        self.correction = GradualCorrection()
        self._config, self._checks = config, checks
        # Lengths of a single camera have no unit of the calibration.
        self._length_error = LengthError(0.0 if config.mode == "mono" else config.calibration_sigma)
        self._is_metric = False

    def reconfigure(self, config: OdometryConfig) -> None:
        """Apply changed settings from the next frame on."""
        self._config = config

    def estimate(
        self,
        frame: Frame,
        keyframe: Keyframe[FeaturesT] | None,
        matches: Matches,
        tracked: TrackedPose,
        pose: tuple[Array, Array],
        is_keyframe: bool,
        is_revisit: bool,
        timings_ms: Mapping[str, float],
    ) -> OdometryEstimate:
        """Return the estimate of the next frame.

        Args:
            frame: the frame.
            keyframe: of the matches; None before the first one.
            matches: N, or none.
            tracked: the pose with respect to the keyframe, and how it was found.
            pose: T_odom_camera (4, 4) and its covariance (6, 6).
            is_keyframe, is_revisit, timings_ms: see `OdometryEstimate`.
        """
        T_odom_camera, covariance = self.correction.published(frame.stamp_ns, *pose)
        if keyframe and self._config.mode != "mono":
            self._is_metric |= len(keyframe.depths) >= self._config.min_inliers
        if keyframe:
            distance = partial(keyframe.median_depth, matches)
            sigma = self._checks.length_sigma(frame, distance)
            self._length_error.update(sigma, T_odom_camera, distance() if sigma > 0 else 1.0)
        covariance = covariance + self._length_error.pose_covariance + COVARIANCE_FLOOR
        twist, T, reference = tracked.twist, tracked.T_keyframe_camera, keyframe if len(matches) else None
        return OdometryEstimate(
            stamp_ns=frame.stamp_ns,
            T_odom_camera=T_odom_camera,
            pose_covariance=bounded_covariance(covariance),
            twist=twist,
            twist_covariance=bounded_covariance(tracked.twist_covariance + self._length_error.twist_covariance(twist)),
            state=tracked.state,
            matches=matches,
            inliers=tracked.inliers,
            reference=reference.frame if reference else None,
            parallax_px=tracked.parallax_px,
            timings_ms=timings_ms,
            scale_known=self._is_metric,
            is_keyframe=is_keyframe,
            is_revisit=is_revisit,
            lost_reason=tracked.lost_reason,
            degeneracies=tracked.motion.degeneracies if tracked.motion else (),
            landmarks=Landmarks(reference.frame.camera, matches, reference.depths, T) if reference else None,
            input_warnings=self._checks.warnings,
            focal_sigma=self._checks.focal_sigma,
        )
