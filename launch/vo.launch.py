"""Starts the visual odometry node. `ros2 launch loftr_ros vo.launch.py --show-args` lists what can be set."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from loftr_ros.ros.parameters import PARAMETERS

CONFIG = PathJoinSubstitution([FindPackageShare("loftr_ros"), "config"])


def generate_launch_description() -> LaunchDescription:
    """Declare one argument for every parameter of the node, and start it."""
    files = [
        DeclareLaunchArgument(
            "params_file",
            default_value=PathJoinSubstitution([CONFIG, "vo.yaml"]),
            description="File of parameters; the arguments below win over it",
        ),
        DeclareLaunchArgument("namespace", default_value="/loftr", description="Namespace of the node and its topics"),
        DeclareLaunchArgument("rviz", default_value="false", description="Show odometry, path and matches in rviz2"),
    ]
    # Empty means not given: a default here would win over the file.
    parameters = [
        DeclareLaunchArgument(
            spec.name, default_value="", description=f"{spec.help}. In vo.yaml: {str(spec.default).lower()}"
        )
        for spec in PARAMETERS
    ]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", PathJoinSubstitution([CONFIG, "vo.rviz"])],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription([*files, *parameters, OpaqueFunction(function=start_node), rviz])


def start_node(context: LaunchContext) -> list[LifecycleNode]:
    """Start the node with the file and the arguments that were given."""
    given = {
        spec.name: ParameterValue(LaunchConfiguration(spec.name), value_type=type(spec.default))
        for spec in PARAMETERS
        if LaunchConfiguration(spec.name).perform(context)
    }
    node = LifecycleNode(
        package="loftr_ros",
        executable="vo_node",
        name="vo",
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), given],
        output="screen",
        emulate_tty=True,
    )
    return [node]
