"""The one table of the node's parameters: declarations, validation, launch arguments, vo.yaml and docs/parameters.md
all come from it; `tools/write_parameter_docs.py` writes the last two.

Imports no ROS, so that launch files and documentation can read it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal

from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.config import MAX_PIXELS
from loftr_ros.odometry.config import OdometryConfig


class ParameterError(LoftrRosError):
    """A parameter that does not exist or a value outside its range; the message names both."""


@dataclass(frozen=True)
class ParameterSpec:
    """One row of the table.

    Attributes:
        name: as in `ros2 param`.
        default: its type is the type of the parameter.
        description: one sentence.
        unit: SI symbol or a word; empty for text and switches.
        low, high: inclusive range of a number; None where there is none.
        choices: the values allowed for a text; empty if any text is.
        read_only: whether only a restart of the node changes it.
        runtime: whether an active node takes a change, which holds from the next frame on. What is neither takes effect
            when the node is configured.
        section: headline of the rows that start with this one; empty for the others.
    """

    name: str
    default: bool | int | float | str
    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False
    runtime: bool = False
    section: str = ""

    @property
    def constraints(self) -> str:
        """What the value may be, in words; empty if anything of the type."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.low is None:
            return ""
        return f"{self.low:.10g} to {self.high:.10g} {self.unit}".strip()

    @property
    def help(self) -> str:
        """Description and constraints in one line."""
        return f"{self.description} ({self.constraints})" if self.constraints else self.description

    def check(self, value: Any) -> None:
        """Raise ParameterError if the value has another type or lies outside the range."""
        number = type(self.default) is float and type(value) is int
        if type(value) is not type(self.default) and not number:
            given, wanted = type(value).__name__, type(self.default).__name__
            raise ParameterError(f"parameter {self.name} is {value!r}, a {given}: it must be a {wanted}")
        outside = self.low is not None and self.high is not None and not self.low <= value <= self.high
        if outside or (self.choices and value not in self.choices):
            raise ParameterError(f"parameter {self.name} is {value!r}: it must be {self.constraints}")


def _row(default: Any, description: str, **options: Any) -> Any:
    return field(default=default, metadata={"description": description, **options})


@dataclass(frozen=True)
class VoParameters:
    """The values of all parameters; every field is a row of the table."""

    autostart: bool = _row(
        True, "Configure and activate as soon as the node is up", read_only=True, section="What the node does"
    )
    mode: Literal["mono", "stereo", "rgbd"] = _row(
        "mono",
        "One camera (metric by scale_source only), a pair (metric), or a camera with depth images (metric)",
        choices=("mono", "stereo", "rgbd"),
    )
    scale_source: Literal["none", "odometry", "camera_height"] = _row(
        "none",
        "What tells the scale of one camera: odometry (of wheels), or camera_height above level ground",
        choices=("none", "odometry", "camera_height"),
    )
    camera_height: float = _row(
        0.0, "Height of the camera above the ground, for scale_source camera_height", unit="m", low=0.0, high=1000.0
    )
    wheel_odometry_topic: str = _row(
        "wheel_odometry", "Positions of the base (nav_msgs/Odometry), for scale_source odometry"
    )

    checkpoint: str = _row(
        "compact",
        "Weights: compact, the name of fetched ones (outdoor, indoor), FILE or PRESET=FILE",
        section="The network",
    )
    device: str = _row("auto", "Where the network runs: auto (a GPU if there is one), cpu, cuda, cuda:1 ...")
    max_pixels: int = _row(
        MAX_PIXELS, "Larger images are shrunk to about this for matching", unit="pixels", low=64 * 64, high=2**24
    )
    threads: int = _row(0, "CPU threads of the network; 0 leaves the choice to torch", low=0, high=256)

    image_topic: str = _row(
        "image",
        "Images of the camera (mono, rgbd); camera_info is expected beside every image topic but that of depth. If all "
        "topics of the mode are empty, the one camera that is publishing is taken",
        section="The camera",
    )
    left_image_topic: str = _row("left/image", "Images of the left camera (stereo)")
    right_image_topic: str = _row("right/image", "Images of the right camera (stereo)")
    depth_image_topic: str = _row(
        "depth/image", "Depth registered to the images (rgbd), 16UC1 in millimetres or 32FC1 in metres"
    )
    image_transport: str = _row(
        "raw",
        "How images travel: compressed adds /compressed (JPEG, PNG) to their topics, to that of depth /compressedDepth",
        choices=("raw", "compressed"),
    )
    mask_image: str = _row(
        "", "Image file of the size of the images: what is black in it is ignored, such as the robot's own body"
    )
    rectified: bool = _row(
        False, "Images of a single camera are rectified, their intrinsics are in P; false: raw, in K and D"
    )
    stereo_rectified: bool = _row(
        True, "Images of a pair are rectified, their calibration is in P; false: raw, in K, D, R and the baseline in P"
    )
    stereo_baseline: float = _row(
        0.0,
        "Distance of the cameras of a pair, if neither P[3] of the right one nor tf tells; 0: unknown",
        unit="m",
        low=0.0,
        high=100.0,
    )
    sync: str = _row(
        "exact",
        "How images are paired by stamp, left with right (stereo) or with depth (rgbd)",
        choices=("exact", "approximate"),
    )
    sync_slop: float = _row(0.01, "Largest stamp difference of an approximate pair", unit="s", low=0.0001, high=1.0)
    qos: str = _row("sensor_data", "Quality of service of the image subscriptions", choices=("sensor_data", "reliable"))
    queue_size: int = _row(
        10,
        "Images that may wait in each subscription; with process_every_frame, how far to lag",
        unit="messages",
        low=1,
        high=1000,
    )
    process_every_frame: bool = _row(
        False, "Frames wait their turn, for replay with qos reliable; false: the newest wins, for robots"
    )
    input_timeout: float = _row(
        5.0, "Silence of a topic after which the diagnostics complain", unit="s", low=0.1, high=3600.0
    )
    on_time_jump: Literal["continue", "restart"] = _row(
        "continue",
        "When stamps go back by 1 s or more, as when a bag starts over: continue from the last pose, or restart at the "
        "first one with a new path",
        choices=("continue", "restart"),
        runtime=True,
    )

    max_speed: float = _row(
        100.0,
        "A faster motion is not believed, where the scale is known",
        unit="m/s",
        low=0.01,
        high=1000.0,
        runtime=True,
        section="What is believed, and what happens while lost",
    )
    max_angular_velocity: float = _row(
        10.0, "A faster turn is not believed", unit="rad/s", low=0.01, high=100.0, runtime=True
    )
    max_prediction: float = _row(
        0.5,
        "How long a lost camera is taken to keep its velocity; then its pose is held",
        unit="s",
        low=0.0,
        high=60.0,
        runtime=True,
    )
    publish_lost: bool = _row(
        True,
        "While lost, publish the prediction with its growing covariance; false: neither odometry nor transform",
        runtime=True,
    )

    odom_frame: str = _row(
        "odom", "Frame of the published pose; REP-105: continuous, it drifts", section="Frames, x forward, y left, z up"
    )
    base_frame: str = _row("base_link", "Frame of the robot, whose pose and velocity are published")
    extrinsic_source: Literal["auto", "tf", "parameters"] = _row(
        "auto",
        "Where the camera sits on the base: tf, parameters (camera_x ...), or auto: parameters if one of them is not "
        "zero, else tf if it knows",
        choices=("auto", "tf", "parameters"),
    )
    camera_x: float = _row(0.0, "Position of the camera in the base frame, forward", unit="m", low=-100.0, high=100.0)
    camera_y: float = _row(0.0, "Position of the camera in the base frame, left", unit="m", low=-100.0, high=100.0)
    camera_z: float = _row(0.0, "Position of the camera in the base frame, up", unit="m", low=-100.0, high=100.0)
    camera_roll: float = _row(
        0.0, "Roll of the camera body (x forward, z up) in the base frame", unit="rad", low=-math.pi, high=math.pi
    )
    camera_pitch: float = _row(
        0.0,
        "Pitch, positive looks down; from level, for scale_source camera_height",
        unit="rad",
        low=-math.pi,
        high=math.pi,
    )
    camera_yaw: float = _row(0.0, "Yaw, positive looks left", unit="rad", low=-math.pi, high=math.pi)

    initial_x: float = _row(
        0.0,
        "Where the base starts in odom_frame and where a reset puts it, forward",
        unit="m",
        low=-1e6,
        high=1e6,
        runtime=True,
    )
    initial_y: float = _row(0.0, "Likewise, to the left", unit="m", low=-1e6, high=1e6, runtime=True)
    initial_z: float = _row(0.0, "Likewise, up", unit="m", low=-1e6, high=1e6, runtime=True)
    initial_roll: float = _row(0.0, "Likewise, roll", unit="rad", low=-math.pi, high=math.pi, runtime=True)
    initial_pitch: float = _row(
        0.0, "Likewise, pitch, positive looks down", unit="rad", low=-math.pi, high=math.pi, runtime=True
    )
    initial_yaw: float = _row(
        0.0, "Likewise, yaw, positive looks left", unit="rad", low=-math.pi, high=math.pi, runtime=True
    )

    publish_tf: bool = _row(True, "Publish the transform from odom_frame to base_frame", runtime=True, section="Output")
    invert_tf: bool = _row(
        False,
        "Publish it the other way, from base_frame to odom_frame, for a base that has another parent",
        runtime=True,
    )
    path_length: int = _row(1000, "Poses kept in the path", unit="poses", low=1, high=100_000, runtime=True)
    trajectory_file: str = _row(
        "trajectory.tum", "Where save_trajectory writes, in TUM format; relative to where the node runs", runtime=True
    )
    trajectory_length: int = _row(
        100_000, "Poses kept for save_trajectory; the oldest are forgotten", unit="poses", low=1, high=1_000_000
    )
    min_variance: float = _row(
        1e-9,
        "Floor of every variance, because consumers mistake 0 for unknown",
        unit="SI^2",
        low=1e-12,
        high=1.0,
        runtime=True,
    )


def _spec(row: Field[Any]) -> ParameterSpec:
    assert row.default is not MISSING
    return ParameterSpec(row.name, row.default, **row.metadata)


PARAMETERS: tuple[ParameterSpec, ...] = tuple(_spec(row) for row in fields(VoParameters))


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


def odometry_config(parameters: VoParameters) -> OdometryConfig:
    """Return the settings of the odometry that the node's parameters ask for.

    Raises:
        OdometryConfigError: parameters that do not go together.
    """
    return OdometryConfig(
        mode=parameters.mode,
        scale_source=parameters.scale_source,
        camera_height=parameters.camera_height,
        camera_pitch=parameters.camera_pitch,
        max_speed=parameters.max_speed,
        max_angular_velocity=parameters.max_angular_velocity,
        max_prediction_s=parameters.max_prediction,
    )
