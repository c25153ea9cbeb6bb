"""The table of the node's parameters: declarations, validation, launch arguments, config/vo.yaml and docs/parameters.md
are made from it; `tools/write_parameter_docs.py` writes the last two.

Imports no ROS, so that launch files and documentation can read it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from loftr_ros.loftr.network.config import MAX_PIXELS
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.odometry.config import SPECS as ODOMETRY
from loftr_ros.odometry.config import Mode, OdometryConfig, ScaleSourceName
from loftr_ros.parameters import ParameterError, ParameterSpec, parameter, same_as, specs
from loftr_ros.validation import require

_ANGLE: dict[str, Any] = {"unit": "rad", "low": -math.pi, "high": math.pi}
_OFFSET: dict[str, Any] = {"unit": "m", "low": -100.0, "high": 100.0}
_POSITION: dict[str, Any] = {"unit": "m", "low": -1e6, "high": 1e6}


@dataclass(frozen=True)
class VoParameters:
    """Values of all parameters; every field is one. Those of the odometry are described by `OdometryConfig`."""

    autostart: bool = parameter(
        True, "Configure and activate as soon as the node is up", read_only=True, section="Task of the node"
    )
    mode: Mode = same_as(OdometryConfig, "mode")
    scale_source: ScaleSourceName = same_as(OdometryConfig, "scale_source")
    camera_height: float = same_as(OdometryConfig, "camera_height")
    wheel_odometry_topic: str = parameter(
        "wheel_odometry",
        "Pose of the base by the wheels (nav_msgs/Odometry), for scale_source odometry",
        names="topic",
    )

    checkpoint: str = parameter(
        "compact",
        "Weights: compact, compact16 (free training data, less computation), the name of fetched ones (outdoor, "
        "indoor), FILE or PRESET=FILE",
        section="Network",
    )
    device: str = parameter("auto", "Inference device: auto (a GPU if there is one), cpu, cuda, cuda:1 ...")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = parameter(
        "auto",
        "Inference precision (auto: the fastest that keeps the accuracy)",
        audience="tuning",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    max_pixels: int = parameter(
        MAX_PIXELS,
        "Compute budget: larger images are downscaled to about this for matching",
        audience="tuning",
        unit="pixels",
        low=64 * 64,
        high=2**24,
        runtime=True,
    )
    max_matches: int = parameter(
        0,
        "Compute budget: only the most confident matches are used; 0: all",
        audience="tuning",
        unit="matches",
        low=0,
        high=1_000_000,
        runtime=True,
    )
    target_rate: float = parameter(
        0.0,
        "Output rate to reach by adaptive resolution: the two budgets above are reduced as far as needed, at most to a "
        "quarter; 0: fixed budget",
        audience="tuning",
        unit="Hz",
        low=0.0,
        high=1000.0,
        runtime=True,
    )
    gpu_memory_limit: int = parameter(
        0, "GPU memory available to the network; 0: all", audience="tuning", unit="MiB", low=0, high=1_000_000
    )
    threads: int = parameter(
        0, "CPU threads of the network; 0: chosen by PyTorch", audience="tuning", unit="threads", low=0, high=256
    )

    image_topic: str = parameter(
        "image",
        "Images of the camera (mono, rgbd); camera_info is expected beside every image topic except that of depth. If "
        "all topics of the mode are empty, the node uses the one camera that is publishing",
        names="topic",
        section="Camera",
    )
    left_image_topic: str = parameter("left/image", "Images of the left camera (stereo)", names="topic")
    right_image_topic: str = parameter("right/image", "Images of the right camera (stereo)", names="topic")
    depth_image_topic: str = parameter(
        "depth/image",
        "Depth registered to the images (rgbd): 16UC1 in units of depth_scale, or 32FC1 in meters",
        names="topic",
    )
    depth_scale: float = parameter(
        0.001,
        "Unit of integer depth images (16UC1): 0.001 for millimeters; 32FC1 is always in meters",
        unit="m",
        low=1e-6,
        high=1.0,
    )
    image_transport: str = parameter(
        "raw",
        "Transport of the images: compressed appends /compressed (JPEG, PNG) to their topics, and /compressedDepth to "
        "that of depth",
        choices=("raw", "compressed"),
    )
    mask_image: str = parameter(
        "", "Image file of the size of the images: black pixels are ignored, such as those of the robot's own body"
    )
    rectified: bool = parameter(
        False, "Images of a single camera are rectified, with intrinsics P; false: raw, with K and D"
    )
    stereo_rectified: bool = parameter(
        True, "Images of a pair are rectified, with calibration P; false: raw, with K, D, R and the baseline in P"
    )
    stereo_baseline: float = parameter(
        0.0,
        "Baseline of a pair, used if neither P of both cameras nor TF gives it; 0: unknown",
        unit="m",
        low=0.0,
        high=100.0,
    )
    sync: str = parameter(
        "exact",
        "Synchronization of two image streams by stamp, left with right (stereo) or with depth (rgbd)",
        choices=("exact", "approximate"),
    )
    sync_slop: float = parameter(
        0.01, "Largest stamp difference of an approximate pair", audience="tuning", unit="s", low=0.0001, high=1.0
    )
    qos: str = parameter(
        "auto",
        "Quality of service of the image subscriptions; auto: reliable if all publishers of the topic are",
        audience="tuning",
        choices=("auto", "sensor_data", "reliable"),
    )
    queue_size: int = parameter(
        10,
        "Queue of each image subscription; with process_every_frame also the longest backlog",
        audience="tuning",
        unit="messages",
        low=1,
        high=1000,
    )
    process_every_frame: bool = parameter(
        False,
        "Queue frames instead of dropping all but the newest: for replay by reliable publishers, not for robots",
        audience="tuning",
    )
    input_timeout: float = parameter(
        5.0,
        "Time without a message on a topic after which the diagnostics report an error",
        audience="tuning",
        unit="s",
        low=0.1,
        high=3600.0,
    )
    on_time_jump: Literal["continue", "restart"] = parameter(
        "continue",
        "When stamps jump back by 1 s or more, as when a bag starts over: continue from the last pose, or restart at "
        "the initial pose with a new path",
        audience="tuning",
        choices=("continue", "restart"),
        runtime=True,
    )

    max_speed: float = same_as(OdometryConfig, "max_speed", section="Motion limits and tracking loss")
    max_angular_velocity: float = same_as(OdometryConfig, "max_angular_velocity")
    max_speed_ratio: float = same_as(OdometryConfig, "max_speed_ratio")
    max_prediction: float = same_as(OdometryConfig, "max_prediction")
    max_gap: float = same_as(OdometryConfig, "max_gap")
    lost_frames_to_restart: int = same_as(OdometryConfig, "lost_frames_to_restart")
    relocalization_keyframes: int = same_as(OdometryConfig, "relocalization_keyframes")
    revisit_keyframes: int = same_as(OdometryConfig, "revisit_keyframes")
    publish_lost: bool = parameter(
        True,
        "While lost, publish the prediction with its growing covariance; false: neither odometry nor transform",
        audience="tuning",
        runtime=True,
    )

    ransac_threshold_px: float = same_as(OdometryConfig, "ransac_threshold_px", section="Pose estimation")
    min_inliers: int = same_as(OdometryConfig, "min_inliers")
    min_inlier_ratio: float = same_as(OdometryConfig, "min_inlier_ratio")
    subpixel_refinement: bool = same_as(OdometryConfig, "subpixel_refinement")
    subpixel_max_shift_px: float = same_as(OdometryConfig, "subpixel_max_shift_px")
    match_noise_px: float = same_as(OdometryConfig, "match_noise_px")
    disparity_bias_px: float = same_as(OdometryConfig, "disparity_bias_px")
    calibration_sigma: float = same_as(OdometryConfig, "calibration_sigma")
    stationary_px: float = same_as(OdometryConfig, "stationary_px")
    min_parallax_px: float = same_as(OdometryConfig, "min_parallax_px")
    keyframe_parallax_px: float = same_as(OdometryConfig, "keyframe_parallax_px")
    keyframe_min_inlier_ratio: float = same_as(OdometryConfig, "keyframe_min_inlier_ratio")

    odom_frame: str = parameter(
        "odom",
        "Fixed frame of the published pose (REP-105): continuous, but it drifts",
        names="frame",
        section="Frames, x forward, y left, z up",
    )
    base_frame: str = parameter("base_link", "Frame of the robot, whose pose and velocity are published", names="frame")
    extrinsic_source: Literal["auto", "tf", "parameters"] = parameter(
        "auto",
        "Source of the extrinsics of the camera: tf, parameters (camera_x ...), or auto: parameters if one of them is "
        "not zero, else tf if it is available",
        choices=("auto", "tf", "parameters"),
    )
    camera_x: float = parameter(0.0, "Position of the camera in the base frame, forward", **_OFFSET)
    camera_y: float = parameter(0.0, "Position of the camera in the base frame, left", **_OFFSET)
    camera_z: float = parameter(0.0, "Position of the camera in the base frame, up", **_OFFSET)
    camera_roll: float = parameter(0.0, "Roll of the camera body (x forward, z up) in the base frame", **_ANGLE)
    camera_pitch: float = same_as(
        OdometryConfig,
        "camera_pitch",
        description="Pitch of the camera body in the base frame, positive looks down; from level, for scale_source "
        "camera_height",
    )
    camera_yaw: float = parameter(0.0, "Yaw of the camera body in the base frame, positive looks left", **_ANGLE)

    initial_x: float = parameter(
        0.0, "Initial pose of the base in odom_frame, also after a reset: position, forward", **_POSITION, runtime=True
    )
    initial_y: float = parameter(0.0, "Initial pose of the base: position, left", **_POSITION, runtime=True)
    initial_z: float = parameter(0.0, "Initial pose of the base: position, up", **_POSITION, runtime=True)
    initial_roll: float = parameter(0.0, "Initial pose of the base: roll", **_ANGLE, runtime=True)
    initial_pitch: float = parameter(
        0.0, "Initial pose of the base: pitch, positive looks down", **_ANGLE, runtime=True
    )
    initial_yaw: float = parameter(0.0, "Initial pose of the base: yaw, positive looks left", **_ANGLE, runtime=True)

    publish_tf: bool = parameter(
        True, "Publish the transform from odom_frame to base_frame", runtime=True, section="Output"
    )
    invert_tf: bool = parameter(
        False,
        "Publish the inverse transform, from base_frame to odom_frame, for a base that has another parent",
        runtime=True,
    )
    path_length: int = parameter(
        1000, "Poses kept in the path", audience="tuning", unit="poses", low=1, high=100_000, runtime=True
    )
    output_folder: str = parameter(
        ".",
        "The only folder that services write to; relative to the working directory of the node",
        read_only=True,
    )
    trajectory_file: str = parameter(
        "trajectory.tum", "File in output_folder that save_trajectory writes, in TUM format", runtime=True
    )
    trajectory_length: int = parameter(
        100_000,
        "Poses kept for save_trajectory; the oldest are discarded",
        audience="tuning",
        unit="poses",
        low=1,
        high=1_000_000,
    )
    record_failure_memory: int = parameter(
        64,
        "Memory for the last images, which record_failure writes to output_folder: 7 s of 640 x 480 at 30 Hz, half of "
        "that of a pair; 0: none",
        audience="tuning",
        unit="MiB",
        low=0,
        high=100_000,
    )
    min_variance: float = parameter(
        1e-9,
        "Floor of every published variance, because consumers read 0 as unknown",
        audience="expert",
        unit="SI^2",
        low=1e-12,
        high=1.0,
        runtime=True,
    )


PARAMETERS: tuple[ParameterSpec, ...] = specs(VoParameters)


def validated(values: Mapping[str, Any]) -> VoParameters:
    """Check values against the table; missing ones take their defaults.

    Raises:
        ParameterError: a name that is not in the table, or a value of the wrong type or outside its range.
    """
    table = {spec.name: spec for spec in PARAMETERS}
    for name, value in values.items():
        if name not in table:
            raise ParameterError(f"parameter {name} does not exist: the parameters are {', '.join(table)}")
        table[name].check(value)
    converted: dict[str, Any] = {name: type(table[name].default)(value) for name, value in values.items()}
    return VoParameters(**converted)


def odometry_config(parameters: VoParameters, camera_pitch: float | None = None) -> OdometryConfig:
    """Return the settings of the odometry among the parameters of the node.

    Args:
        parameters: of the node.
        camera_pitch: of the extrinsics from TF, radians; None: that of the parameters.

    Raises:
        OdometryConfigError, ParameterError: parameters that exclude each other.
    """
    check_frames(parameters.odom_frame, parameters.base_frame)
    values = {spec.name: getattr(parameters, spec.name) for spec in ODOMETRY}
    return OdometryConfig(**values if camera_pitch is None else {**values, "camera_pitch": camera_pitch})


def check_frames(odom_frame: str, base_frame: str) -> None:
    """Raise ParameterError unless the frames differ: TF refuses a transform from a frame to itself."""
    require(odom_frame != base_frame, ParameterError, "odom_frame", odom_frame, "another frame than base_frame")


def compute_budget(parameters: VoParameters) -> ComputeBudget:
    """Return the largest compute budget of a frame that the parameters allow."""
    return ComputeBudget(parameters.max_pixels, parameters.max_matches)
