"""Starts the visual odometry node. `ros2 launch loftr_ros vo.launch.py --show-args` lists what can be set."""

from pathlib import Path

from ament_index_python import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch import LaunchContext, LaunchDescription, Substitution
from launch.actions import DeclareLaunchArgument, ExecuteProcess, GroupAction, OpaqueFunction
from launch.logging import get_logger, launch_config
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.utilities import make_namespace_absolute, prefix_namespace

from loftr_ros.ros.parameters.launch_arguments import (
    ARGUMENTS,
    LaunchArgumentError,
    Plan,
    misspelled,
    parameters_around,
    plan,
    rviz_config,
)

TEMPLATE = Path(get_package_share_directory("loftr_ros")) / "config" / "vo.rviz"
# Seconds before a recording starts to play, for the node to load and to find its camera.
BAG_DELAY = "6"


class Shown(Substitution):
    """A default that `--show-args` shows and that stands for nothing given: a value would win over params_file."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def describe(self) -> str:
        return f"'{self._text}'"

    def perform(self, context: LaunchContext) -> str:
        return ""


def generate_launch_description() -> LaunchDescription:
    """Declare one argument for every parameter of the node, and start it."""
    arguments = [
        DeclareLaunchArgument(a.name, default_value=Shown(a.default), description=a.description) for a in ARGUMENTS
    ]
    # In a group, for the arguments not to be those of whatever a launch file around includes next.
    return LaunchDescription([GroupAction([*arguments, OpaqueFunction(function=start)])])


def start(context: LaunchContext) -> list[ExecuteProcess]:
    """Start what the arguments ask for; whatever is wrong with them is an error before anything starts."""
    for name, meant in misspelled(context.launch_configurations).items():
        get_logger("vo.launch.py").warning(f"launch argument {name} is unknown and ignored: did you mean {meant}?")
    values = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    around = parameters_around(context.launch_configurations.get("global_params", []))
    asked = plan({name: value for name, value in values.items() if value}, around)
    rviz = [rviz_node(asked, context)] if asked.rviz else []
    bag = [ExecuteProcess(cmd=["ros2", "bag", "play", asked.bag, "--clock", "--delay", BAG_DELAY])] if asked.bag else []
    return [node(asked), *bag, *rviz]


def node(asked: Plan) -> LifecycleNode:
    """Start the node with the file and the arguments that were given."""
    values = {
        # Texts by their type: launch_ros reads a plain one as YAML, and a frame could be called 1.
        name: ParameterValue(value, value_type=str) if isinstance(value, str) else value
        for name, value in {**asked.parameters, **asked.time}.items()
    }
    return LifecycleNode(
        package="loftr_ros",
        executable="vo_node",
        name="vo",
        namespace=asked.namespace,
        parameters=_some(asked.params_file, values),
        output="screen",
        emulate_tty=True,
    )


def rviz_node(asked: Plan, context: LaunchContext) -> Node:
    """Start rviz with the topics and the frames of the node; its configuration is kept beside the log of the launch."""
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError as error:
        raise LaunchArgumentError("rviz is true but rviz2 is not installed: install it, or leave rviz out") from error
    pushed = context.launch_configurations.get("ros_namespace")
    namespace = make_namespace_absolute(prefix_namespace(pushed, asked.namespace))
    config = Path(launch_config.log_dir) / f"{namespace.strip('/').replace('/', '_')}.rviz"
    config.write_text(rviz_config(TEMPLATE.read_text(), namespace, asked.odom_frame, asked.base_frame))
    return Node(package="rviz2", executable="rviz2", arguments=["-d", str(config)], parameters=_some(asked.time))


def _some(*parameters: object) -> list[object]:
    """Return the files and values that there are."""
    return [one for one in parameters if one]
