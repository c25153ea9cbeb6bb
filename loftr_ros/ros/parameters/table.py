"""The one table of the node's parameters: declarations, validation, launch arguments, vo.yaml and docs/parameters.md
all come from it; `tools/write_parameter_docs.py` writes the last two.

Imports no ROS, so that launch files and documentation can read it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from loftr_ros.loftr.network.config import MAX_PIXELS
from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.ros.parameters.spec import ParameterError, ParameterSpec, row, specs


@dataclass(frozen=True)
class VoParameters:
    """The values of all parameters; every field is a row of the table."""

    autostart: bool = row(
        True, "Configure and activate as soon as the node is up", read_only=True, section="What the node does"
    )
    mode: Literal["mono", "stereo", "rgbd"] = row(
        "mono",
        "One camera (metric by scale_source only), a pair (metric), or a camera with depth images (metric)",
        choices=("mono", "stereo", "rgbd"),
    )
    scale_source: Literal["none", "odometry", "camera_height"] = row(
        "none",
        "What tells the scale of one camera: odometry (of wheels), or camera_height above level ground",
        choices=("none", "odometry", "camera_height"),
    )
    camera_height: float = row(
        0.0, "Height of the camera above the ground, for scale_source camera_height", unit="m", low=0.0, high=1000.0
    )
    wheel_odometry_topic: str = row(
        "wheel_odometry", "Positions of the base (nav_msgs/Odometry), for scale_source odometry"
    )

    checkpoint: str = row(
        "compact",
        "Weights: compact, the name of fetched ones (outdoor, indoor), FILE or PRESET=FILE",
        section="The network",
    )
    device: str = row("auto", "Where the network runs: auto (a GPU if there is one), cpu, cuda, cuda:1 ...")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = row(
        "auto",
        "Numbers that the network computes with; auto: the fastest of the device that does no harm",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    max_pixels: int = row(
        MAX_PIXELS,
        "Larger images are shrunk to about this for matching",
        unit="pixels",
        low=64 * 64,
        high=2**24,
        runtime=True,
    )
    max_matches: int = row(
        0, "The most confident matches that are used; 0: all", unit="matches", low=0, high=1_000_000, runtime=True
    )
    target_rate: float = row(
        0.0,
        "Frames a second to reach with fewer pixels and matches than the two above, as many as there is time for, at "
        "least a quarter; 0: always all",
        unit="Hz",
        low=0.0,
        high=1000.0,
        runtime=True,
    )
    gpu_memory_limit: int = row(
        0, "What the network may take of the memory of a GPU; 0: all", unit="MiB", low=0, high=1_000_000
    )
    threads: int = row(0, "CPU threads of the network; 0 leaves the choice to torch", low=0, high=256)

    image_topic: str = row(
        "image",
        "Images of the camera (mono, rgbd); camera_info is expected beside every image topic but that of depth. If all "
        "topics of the mode are empty, the one camera that is publishing is taken",
        section="The camera",
    )
    left_image_topic: str = row("left/image", "Images of the left camera (stereo)")
    right_image_topic: str = row("right/image", "Images of the right camera (stereo)")
    depth_image_topic: str = row(
        "depth/image", "Depth registered to the images (rgbd), 16UC1 in counts of depth_scale or 32FC1 in metres"
    )
    depth_scale: float = row(
        0.001,
        "Meters a count of depth images of integers (16UC1): 0.001 for millimeters; 32FC1 is in meters always",
        unit="m",
        low=1e-6,
        high=1.0,
    )
    image_transport: str = row(
        "raw",
        "How images travel: compressed adds /compressed (JPEG, PNG) to their topics, to that of depth /compressedDepth",
        choices=("raw", "compressed"),
    )
    mask_image: str = row(
        "", "Image file of the size of the images: what is black in it is ignored, such as the robot's own body"
    )
    rectified: bool = row(
        False, "Images of a single camera are rectified, their intrinsics are in P; false: raw, in K and D"
    )
    stereo_rectified: bool = row(
        True, "Images of a pair are rectified, their calibration is in P; false: raw, in K, D, R and the baseline in P"
    )
    stereo_baseline: float = row(
        0.0,
        "Distance of the cameras of a pair, if neither P of both nor tf tells; 0: unknown",
        unit="m",
        low=0.0,
        high=100.0,
    )
    sync: str = row(
        "exact",
        "How images are paired by stamp, left with right (stereo) or with depth (rgbd)",
        choices=("exact", "approximate"),
    )
    sync_slop: float = row(0.01, "Largest stamp difference of an approximate pair", unit="s", low=0.0001, high=1.0)
    qos: str = row(
        "auto",
        "Quality of service of the image subscriptions; auto: as reliable as all publishers of a topic",
        choices=("auto", "sensor_data", "reliable"),
    )
    queue_size: int = row(
        10,
        "Images that may wait in each subscription; with process_every_frame, how far to lag",
        unit="messages",
        low=1,
        high=1000,
    )
    process_every_frame: bool = row(
        False, "Frames wait their turn, for replay by reliable publishers; false: the newest wins, for robots"
    )
    input_timeout: float = row(
        5.0, "Silence of a topic after which the diagnostics complain", unit="s", low=0.1, high=3600.0
    )
    on_time_jump: Literal["continue", "restart"] = row(
        "continue",
        "When stamps go back by 1 s or more, as when a bag starts over: continue from the last pose, or restart at the "
        "first one with a new path",
        choices=("continue", "restart"),
        runtime=True,
    )

    max_speed: float = row(
        100.0,
        "A faster motion is not believed, where the scale is known",
        unit="m/s",
        low=0.01,
        high=1000.0,
        runtime=True,
        section="What is believed, and what happens while lost",
    )
    max_angular_velocity: float = row(
        10.0, "A faster turn is not believed", unit="rad/s", low=0.01, high=100.0, runtime=True
    )
    max_prediction: float = row(
        0.5,
        "How long a lost camera is taken to keep its velocity; then its pose is held",
        unit="s",
        low=0.0,
        high=60.0,
        runtime=True,
    )
    publish_lost: bool = row(
        True,
        "While lost, publish the prediction with its growing covariance; false: neither odometry nor transform",
        runtime=True,
    )

    odom_frame: str = row(
        "odom", "Frame of the published pose; REP-105: continuous, it drifts", section="Frames, x forward, y left, z up"
    )
    base_frame: str = row("base_link", "Frame of the robot, whose pose and velocity are published")
    extrinsic_source: Literal["auto", "tf", "parameters"] = row(
        "auto",
        "Where the camera sits on the base: tf, parameters (camera_x ...), or auto: parameters if one of them is not "
        "zero, else tf if it knows",
        choices=("auto", "tf", "parameters"),
    )
    camera_x: float = row(0.0, "Position of the camera in the base frame, forward", unit="m", low=-100.0, high=100.0)
    camera_y: float = row(0.0, "Position of the camera in the base frame, left", unit="m", low=-100.0, high=100.0)
    camera_z: float = row(0.0, "Position of the camera in the base frame, up", unit="m", low=-100.0, high=100.0)
    camera_roll: float = row(
        0.0, "Roll of the camera body (x forward, z up) in the base frame", unit="rad", low=-math.pi, high=math.pi
    )
    camera_pitch: float = row(
        0.0,
        "Pitch, positive looks down; from level, for scale_source camera_height",
        unit="rad",
        low=-math.pi,
        high=math.pi,
    )
    camera_yaw: float = row(0.0, "Yaw, positive looks left", unit="rad", low=-math.pi, high=math.pi)

    initial_x: float = row(
        0.0,
        "Where the base starts in odom_frame and where a reset puts it, forward",
        unit="m",
        low=-1e6,
        high=1e6,
        runtime=True,
    )
    initial_y: float = row(0.0, "Likewise, to the left", unit="m", low=-1e6, high=1e6, runtime=True)
    initial_z: float = row(0.0, "Likewise, up", unit="m", low=-1e6, high=1e6, runtime=True)
    initial_roll: float = row(0.0, "Likewise, roll", unit="rad", low=-math.pi, high=math.pi, runtime=True)
    initial_pitch: float = row(
        0.0, "Likewise, pitch, positive looks down", unit="rad", low=-math.pi, high=math.pi, runtime=True
    )
    initial_yaw: float = row(
        0.0, "Likewise, yaw, positive looks left", unit="rad", low=-math.pi, high=math.pi, runtime=True
    )

    publish_tf: bool = row(True, "Publish the transform from odom_frame to base_frame", runtime=True, section="Output")
    invert_tf: bool = row(
        False,
        "Publish it the other way, from base_frame to odom_frame, for a base that has another parent",
        runtime=True,
    )
    path_length: int = row(1000, "Poses kept in the path", unit="poses", low=1, high=100_000, runtime=True)
    trajectory_file: str = row(
        "trajectory.tum", "Where save_trajectory writes, in TUM format; relative to where the node runs", runtime=True
    )
    trajectory_length: int = row(
        100_000, "Poses kept for save_trajectory; the oldest are forgotten", unit="poses", low=1, high=1_000_000
    )
    min_variance: float = row(
        1e-9,
        "Floor of every variance, because consumers mistake 0 for unknown",
        unit="SI^2",
        low=1e-12,
        high=1.0,
        runtime=True,
    )


PARAMETERS: tuple[ParameterSpec, ...] = specs(VoParameters)


def validated(values: Mapping[str, Any]) -> VoParameters:
    """Check every value against the table; what is missing takes its default.

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
    """Return the settings of the odometry that the node's parameters ask for.

    Args:
        parameters: of the node.
        camera_pitch: as TF has it, radians; None: that of the parameters.

    Raises:
        OdometryConfigError: parameters that do not go together.
    """
    return OdometryConfig(
        mode=parameters.mode,
        scale_source=parameters.scale_source,
        camera_height=parameters.camera_height,
        camera_pitch=parameters.camera_pitch if camera_pitch is None else camera_pitch,
        max_speed=parameters.max_speed,
        max_angular_velocity=parameters.max_angular_velocity,
        max_prediction=parameters.max_prediction,
    )


def allowed_effort(parameters: VoParameters) -> ComputeBudget:
    """Return the most work that the node's parameters allow for a frame."""
    return ComputeBudget(parameters.max_pixels, parameters.max_matches)
