"""Starts the visual odometry node. `ros2 launch loftr_ros vo.launch.py --show-args` lists what can be set."""

import tempfile
from pathlib import Path

from ament_index_python import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from loftr_ros.ros.launching import frame, rviz_config, topics_to_find, typed
from loftr_ros.ros.parameters import PARAMETERS

CONFIG = Path(get_package_share_directory("loftr_ros")) / "config"
# Seconds before a recording starts to play, for the node to load and to find its camera.
BAG_DELAY = "6"
OTHERS = {
    "params_file": "File of parameters to start from instead of config/vo.yaml; arguments win over it",
    "namespace": "Namespace of the node and its topics",
    "rviz": "true shows odometry, path, points and matches in rviz2",
    "bag": "Recording to play (ros2 bag play) with its clock, which sets use_sim_time; empty: none",
    "use_sim_time": "true takes the time from /clock",
}
DEFAULTS = {"namespace": "/loftr", "rviz": "false", "use_sim_time": "false"}


def generate_launch_description() -> LaunchDescription:
    """Declare one argument for every parameter of the node, and start it."""
    others = [
        DeclareLaunchArgument(name, default_value=DEFAULTS.get(name, ""), description=text)
        for name, text in OTHERS.items()
    ]
    # Empty means not given: a default here would win over the file.
    parameters = [
        DeclareLaunchArgument(
            spec.name, default_value="", description=f"{spec.help}. In vo.yaml: {str(spec.default).lower()}"
        )
        for spec in PARAMETERS
    ]
    return LaunchDescription([*others, *parameters, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[ExecuteProcess]:
    """Start what the arguments ask for."""
    names = [*OTHERS, *(spec.name for spec in PARAMETERS)]
    values = {name: LaunchConfiguration(name).perform(context) for name in names}
    given = {name: value for name, value in values.items() if value}
    file = Path(given.get("params_file", CONFIG / "vo.yaml"))
    time = {"use_sim_time": "bag" in given or given["use_sim_time"].lower() == "true"}
    actions = [node(given, file, time)]
    if "bag" in given:
        actions.append(ExecuteProcess(cmd=["ros2", "bag", "play", given["bag"], "--clock", "--delay", BAG_DELAY]))
    if given["rviz"].lower() == "true":
        actions.append(rviz(given, file, time))
    return actions


def node(given: dict[str, str], file: Path, time: dict[str, bool]) -> LifecycleNode:
    """Start the node with the file and the arguments that were given."""
    return LifecycleNode(
        package="loftr_ros",
        executable="vo_node",
        name="vo",
        namespace=given["namespace"],
        parameters=[str(file), topics_to_find(given), typed(given), time],
        output="screen",
        emulate_tty=True,
    )


def rviz(given: dict[str, str], file: Path, time: dict[str, bool]) -> Node:
    """Start rviz with the topics and the frames of the node."""
    frames = (frame(name, given, file) for name in ("odom_frame", "base_frame"))
    with tempfile.NamedTemporaryFile("w", suffix=".rviz", delete=False) as config:
        config.write(rviz_config((CONFIG / "vo.rviz").read_text(), given["namespace"], *frames))
    return Node(package="rviz2", executable="rviz2", arguments=["-d", config.name], parameters=[time])
