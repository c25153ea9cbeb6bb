"""The settings of the odometry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from loftr_ros.errors import LoftrRosError
from loftr_ros.parameters import ParameterSpec, parameter, specs
from loftr_ros.validation import require

Mode = Literal["mono", "stereo", "rgbd"]
ScaleSourceName = Literal["none", "odometry", "camera_height"]

# Fewest matches that a pose is computed from.
# derived: 9 elements of an essential matrix up to scale; the five-point algorithm and PnP need fewer.
MINIMUM_MATCHES = 8


class OdometryConfigError(LoftrRosError):
    """A setting outside its range; the message names the field."""


@dataclass(frozen=True)
class OdometryConfig:
    """Settings of `VisualOdometry`; each field holds its description, unit, range and audience.

    The node takes all of them as parameters of the same names, `loftr-ros run` as options; the page on the parameters
    of the node lists them. SI units have no suffix in the names, pixels have `_px`.

    Raises:
        OdometryConfigError: a value outside its range, or values that exclude each other.
    """

    mode: Mode = parameter(
        "mono",
        "Camera setup: mono (one camera, metric by scale_source only), stereo (a pair, metric) or rgbd (a camera with "
        "depth images, metric)",
        choices=get_args(Mode),
    )
    scale_source: ScaleSourceName = parameter(
        "none",
        "Source of the metric scale of a single camera: none, odometry (of the wheels) or camera_height (above level "
        "ground)",
        choices=get_args(ScaleSourceName),
    )
    camera_height: float = parameter(
        0.0, "Height of the camera above the ground, for scale_source camera_height", unit="m", low=0.0, high=1000.0
    )
    camera_pitch: float = parameter(
        0.0,
        "Pitch of the camera from level, positive looks down, for scale_source camera_height; its roll is assumed zero",
        unit="rad",
        low=-math.pi,
        high=math.pi,
    )

    max_speed: float = parameter(
        100.0,
        "Motion limit: a faster translation is rejected, where the scale is known",
        audience="tuning",
        unit="m/s",
        low=0.01,
        high=1000.0,
        runtime=True,
    )
    max_angular_velocity: float = parameter(
        10.0,
        "Motion limit: a faster rotation is rejected",
        audience="tuning",
        unit="rad/s",
        low=0.01,
        high=100.0,
        runtime=True,
    )
    max_speed_ratio: float = parameter(
        100.0,
        "Motion limit of a single camera: a translation is rejected that is faster than the recent top speed by this "
        "factor",
        audience="expert",
        low=1.0,
        high=1e6,
        runtime=True,
    )
    max_prediction: float = parameter(
        0.5,
        "While lost, the pose is predicted at constant velocity for this long, then held",
        audience="tuning",
        unit="s",
        low=0.0,
        high=60.0,
        runtime=True,
    )
    max_gap: float = parameter(
        5.0,
        "Longest time between two measured poses from which a velocity is computed",
        audience="expert",
        unit="s",
        low=0.01,
        high=3600.0,
        runtime=True,
    )
    lost_frames_to_restart: int = parameter(
        3,
        "Consecutive lost frames after which the current frame becomes the new keyframe",
        audience="tuning",
        unit="frames",
        low=1,
        high=10_000,
        runtime=True,
    )
    relocalization_keyframes: int = parameter(
        3,
        "Earlier keyframes kept for relocalization, of which every lost frame is matched with one; 0: no "
        "relocalization",
        audience="tuning",
        unit="keyframes",
        low=0,
        high=100,
    )

    revisit_keyframes: int = parameter(
        60,
        "Earlier keyframes kept as a map; a new keyframe that sees one of them again is matched with it, which "
        "corrects the drift since; 0: no map",
        audience="tuning",
        unit="keyframes",
        low=0,
        high=1000,
    )

    ransac_threshold_px: float = parameter(
        1.0,
        "RANSAC inlier threshold: largest distance from the epipolar line, and reprojection error",
        audience="expert",
        unit="px",
        low=0.01,
        high=100.0,
        runtime=True,
    )
    min_inliers: int = parameter(
        25,
        "Fewest inliers of a measured pose; with fewer the frame is lost",
        audience="tuning",
        unit="matches",
        low=MINIMUM_MATCHES,
        high=100_000,
        runtime=True,
    )
    min_inlier_ratio: float = parameter(
        1 / 3,
        "Lowest inlier ratio of a measured pose and of a stereo pair; below it the frame is lost, because repetitive "
        "texture makes some matches agree on any motion",
        audience="expert",
        low=0.0,
        high=1.0,
        runtime=True,
    )
    subpixel_refinement: bool = parameter(
        True,
        "Refine every match on the images by Lucas-Kanade (KLT), which gives most of the sub-pixel accuracy",
        audience="expert",
        runtime=True,
    )
    subpixel_max_shift_px: float = parameter(
        3.0,
        "Largest accepted shift of that refinement; beyond it the match stays unrefined",
        audience="expert",
        unit="px",
        low=0.01,
        high=100.0,
        runtime=True,
    )
    match_noise_px: float = parameter(
        0.3,
        "Initial standard deviation of a match coordinate; the noise of each frame is estimated from its residuals",
        audience="expert",
        unit="px",
        low=0.001,
        high=100.0,
    )
    disparity_bias_px: float = parameter(
        0.2,
        "Standard deviation of the disparity bias that the calibration of a stereo rig leaves, which the odometry "
        "estimates; 0: the calibration is exact",
        audience="tuning",
        unit="px",
        low=0.0,
        high=100.0,
    )
    calibration_sigma: float = parameter(
        0.005,
        "Relative standard deviation of the focal length, of the principal point (as a share of the focal length) and "
        "of the metric unit (baseline or depth), common to the whole path: the covariance grows by it with the "
        "distance from the start and with the rotation, in the modes stereo and rgbd; 0: the calibration is exact",
        audience="tuning",
        low=0.0,
        high=1.0,
    )
    stationary_px: float = parameter(
        1.0,
        "Image motion, averaged over all matches, below which the camera is stationary",
        audience="expert",
        unit="px",
        low=0.0,
        high=100.0,
        runtime=True,
    )
    min_parallax_px: float = parameter(
        1.0,
        "Median parallax (image motion without that of the rotation) below which translation and depth are not "
        "observable without known depth",
        audience="expert",
        unit="px",
        low=0.0,
        high=1000.0,
        runtime=True,
    )

    keyframe_parallax_px: float = parameter(
        12.0,
        "Median image motion since the keyframe that makes the frame the new keyframe",
        audience="expert",
        unit="px",
        low=0.01,
        high=10_000.0,
        runtime=True,
    )
    keyframe_min_inlier_ratio: float = parameter(
        0.7,
        "Inliers, relative to the maximum of the keyframe, below which the frame becomes the new keyframe",
        audience="expert",
        low=0.0,
        high=1.0,
        runtime=True,
    )

    def __post_init__(self) -> None:
        """Raise OdometryConfigError for a value outside its range, and for values that exclude each other."""
        for spec in SPECS:
            spec.check(getattr(self, spec.name), OdometryConfigError)
        if self.scale_source != "none":
            wanted = f"none, because mode {self.mode} is metric by itself"
            self._require(self.mode == "mono", "scale_source", wanted)
        if self.scale_source == "camera_height":
            self._require(self.camera_height > 0, "camera_height", "above 0 m for scale_source camera_height")
            looks_ahead = abs(self.camera_pitch) < math.pi / 2
            self._require(looks_ahead, "camera_pitch", "between -pi/2 and pi/2 rad for scale_source camera_height")

    def _require(self, holds: bool, name: str, wanted: str) -> None:
        require(holds, OdometryConfigError, name, getattr(self, name), wanted)


SPECS: tuple[ParameterSpec, ...] = specs(OdometryConfig)
