"""What the user can choose about the odometry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from loftr_ros.errors import LoftrRosError

Mode = Literal["mono", "stereo", "rgbd"]
ScaleSourceName = Literal["none", "odometry", "camera_height"]

_ABOVE_ZERO = (
    "ransac_threshold_px",
    "match_noise_px",
    "keyframe_parallax_px",
    "subpixel_max_shift_px",
    "max_speed",
    "max_speed_ratio",
    "max_angular_velocity",
    "max_gap",
)
_NOT_NEGATIVE = (
    "stationary_px",
    "min_parallax_px",
    "disparity_bias_px",
    "max_prediction",
    "relocalization_keyframes",
)


_SHARES = ("min_inlier_ratio", "keyframe_min_inlier_ratio")


class OdometryConfigError(LoftrRosError):
    """A setting outside its range; the message names the field."""


@dataclass(frozen=True)
class OdometryConfig:
    """Settings of `VisualOdometry`.

    Attributes:
        mode: "mono" (scale unknown), "stereo" (pair, metric) or "rgbd" (depth image, metric).
        scale_source: what makes a single camera metric, see `scale.metric_odometry`: "none", "odometry" (of wheels) or
            "camera_height" (over level ground).
        camera_height: of the camera above the ground, metres; for the scale source of that name.
        camera_pitch: of the camera from level, positive looks down, radians; likewise. Its roll is zero.
        ransac_threshold_px: largest distance of an inlier from its epipolar line, pixels.
        min_inliers: fewer than this many inliers and the frame is lost.
        min_inlier_ratio: fewer than this share of the matches and the frame is lost; repeated texture makes some of
            them agree on anything.
        subpixel_refinement: refine each match on the images by Lucas-Kanade (KLT): most of the sub-pixel accuracy.
        subpixel_max_shift_px: largest accepted shift of that refinement; beyond it the match stays unrefined, pixels.
        stationary_px: image motion below which the camera stands still, pixels; noise of single matches averaged out.
        min_parallax_px: median parallax (image motion left after removing rotation) below which no translation
            and no depth can be had without known depth, pixels.
        keyframe_parallax_px: median image motion since the keyframe that asks for a new one, pixels.
        keyframe_min_inlier_ratio: inliers, as a share of the keyframe's best count so far, below which a new one
            is taken.
        disparity_bias_px: standard deviation of the error that all disparities of a stereo rig have in common because
            its calibration is not exact, pixels; it is learned while driving. 0: the calibration is perfect.
        match_noise_px: standard deviation of one coordinate of a match to start from, pixels; each frame's is measured.
        max_prediction: how long a lost camera is assumed to keep its velocity, seconds; then it is held.
        lost_frames_to_restart: lost frames in a row after which matching starts afresh from a new keyframe.
        relocalization_keyframes: earlier keyframes that a lost frame is tried against, one a frame; 0 tries none.
        max_speed: a faster motion is not believed, m/s, where the scale is known.
        max_speed_ratio: a motion this many times faster than any of late is not believed, where the scale is unknown.
        max_angular_velocity: a faster turn is not believed, rad/s.
        max_gap: a motion over more than this time tells the pose but no velocity, seconds.
    """

    mode: Mode = "mono"
    scale_source: ScaleSourceName = "none"
    camera_height: float = 0.0
    camera_pitch: float = 0.0
    ransac_threshold_px: float = 1.0
    min_inliers: int = 25
    min_inlier_ratio: float = 1 / 3
    subpixel_refinement: bool = True
    subpixel_max_shift_px: float = 3.0
    stationary_px: float = 1.0
    min_parallax_px: float = 1.0
    keyframe_parallax_px: float = 12.0
    keyframe_min_inlier_ratio: float = 0.7
    disparity_bias_px: float = 0.2
    match_noise_px: float = 0.3
    max_prediction: float = 0.5
    lost_frames_to_restart: int = 3
    relocalization_keyframes: int = 3
    max_speed: float = 100.0
    max_speed_ratio: float = 100.0
    max_angular_velocity: float = 10.0
    max_gap: float = 5.0

    def __post_init__(self) -> None:
        """Raise OdometryConfigError for a value outside its range."""
        if self.mode not in get_args(Mode):
            raise OdometryConfigError(f"mode is '{self.mode}'; it must be one of {', '.join(get_args(Mode))}.")
        self._check_scale()
        for name in _ABOVE_ZERO:
            if not getattr(self, name) > 0:
                raise OdometryConfigError(f"{name} is {getattr(self, name)}; it must be above 0.")
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise OdometryConfigError(f"{name} is {getattr(self, name)}; it must not be negative.")
        if self.min_inliers < 8:
            raise OdometryConfigError(f"min_inliers is {self.min_inliers}; relative pose needs at least 8.")
        if self.lost_frames_to_restart < 1:
            raise OdometryConfigError(f"lost_frames_to_restart is {self.lost_frames_to_restart}; it must be 1 or more.")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise OdometryConfigError(f"{name} is {getattr(self, name)}; it must be between 0 and 1.")

    def _check_scale(self) -> None:
        if self.scale_source not in get_args(ScaleSourceName):
            choices = ", ".join(get_args(ScaleSourceName))
            raise OdometryConfigError(f"scale_source is '{self.scale_source}'; it must be one of {choices}.")
        if self.scale_source != "none" and self.mode != "mono":
            raise OdometryConfigError(
                f"scale_source is '{self.scale_source}' but mode {self.mode} is metric by itself; it must be none."
            )
        if self.scale_source == "camera_height":
            if not 0 < self.camera_height < math.inf:
                raise OdometryConfigError(
                    f"camera_height is {self.camera_height}; scale_source camera_height needs the metres above ground."
                )
            if not abs(self.camera_pitch) < math.pi / 2:
                raise OdometryConfigError(f"camera_pitch is {self.camera_pitch}; it must be between -pi/2 and pi/2.")
