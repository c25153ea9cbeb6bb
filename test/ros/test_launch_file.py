"""The launch file, by the real `ros2 launch`, with programs that print their arguments as the node and rviz2."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="needs launch_ros, which the wheels of ROS do not have")
pytest.importorskip("ros2launch", reason="needs ros2launch, which the wheels of ROS do not have")

ROOT = Path(__file__).parents[2]
LAUNCH_FILE = ROOT / "launch" / "vo.launch.py"
AROUND = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription, LogInfo
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import PushRosNamespace, SetParameter


def generate_launch_description():
    vo = PythonLaunchDescriptionSource("{file}")
    around = [SetParameter("use_sim_time", True), SetParameter("max_speed", 2.0)]
    return LaunchDescription(
        GroupAction(
            [
                PushRosNamespace(robot),
                *around,
                IncludeLaunchDescription(vo, launch_arguments={{"odom_frame": "1", "rviz": "on"}}.items()),
                DeclareLaunchArgument("use_sim_time", default_value="of the next file"),
                LogInfo(msg=["use_sim_time: ", LaunchConfiguration("use_sim_time")]),
            ]
        )
        for robot in ("robot1", "robot2")
    )
"""


@pytest.fixture
def launch(ros, tmp_path):
    """Run `ros2 launch` where these packages are installed; returns exit code and what was said."""

    def run(*arguments, packages=("loftr_ros", "rviz2")):
        prefix = tmp_path / "prefix"
        index = prefix / "share" / "ament_index" / "resource_index" / "packages"
        index.mkdir(parents=True)
        for package, executable in zip(packages, ("vo_node", "rviz2"), strict=False):
            (index / package).touch()
            program = prefix / "lib" / package / executable
            program.parent.mkdir(parents=True)
            program.write_text('#!/bin/sh\necho "<$0 $@>" >&2\n')
            program.chmod(0o755)
        (prefix / "share" / "loftr_ros").mkdir()
        (prefix / "share" / "loftr_ros" / "config").symlink_to(ROOT / "config")
        (tmp_path / "temporary").mkdir()
        environment = {
            **ros.environment,
            "AMENT_PREFIX_PATH": f"{prefix}:{os.environ.get('AMENT_PREFIX_PATH', '')}",
            "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
            "ROS_LOG_DIR": str(tmp_path / "log"),
            "TMPDIR": str(tmp_path / "temporary"),
        }
        command = [shutil.which("ros2"), "launch", *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert not list((tmp_path / "temporary").glob("*.rviz"))
        return done.returncode, done.stdout + done.stderr

    return run


def started(said):
    """Return the arguments of each node and each rviz2 that were started."""
    lines = re.findall(r"<\S+/(vo_node|rviz2) (.*)>", said)
    return [[arguments for name, arguments in lines if name == program] for program in ("vo_node", "rviz2")]


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("rviz:=true", "rviz2 is not installed"),
        ("rviz:=maybe", "rviz is 'maybe': it must be true or false"),
        ("params_file:=/no/such.yaml", "params_file /no/such.yaml cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(launch, argument, sentence):
    code, said = launch(LAUNCH_FILE, argument, packages=("loftr_ros",))
    assert (code, "process started" in said) == (1, False), said
    assert sentence in said


def test_the_node_gets_what_was_asked_for_and_no_more(launch):
    code, said = launch(LAUNCH_FILE, "image_topic:=/camera/image", "use_sim_time:=yes")
    (node,), _ = started(said)
    assert code == 0
    assert "__ns:=/loftr " in node
    assert (node.count("--params-file"), node.count("-p ")) == (1, 0), node


def test_a_misspelled_argument_is_a_warning(launch):
    code, said = launch(LAUNCH_FILE, "mdoe:=stereo")
    assert code == 0
    assert "[WARNING] [vo.launch.py]: launch argument mdoe is unknown and ignored: did you mean mode?" in said


def test_the_file_and_the_arguments_over_it_are_passed(launch, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    max_speed: 3.0\n")
    code, said = launch(LAUNCH_FILE, f"params_file:={file}", "mode:=stereo")
    (node,), _ = started(said)
    assert code == 0
    assert re.search(rf"--params-file {file} --params-file \S+$", node), node


def test_launch_files_around_set_namespace_and_parameters(launch, tmp_path):
    around = tmp_path / "around.launch.py"
    around.write_text(AROUND.format(file=LAUNCH_FILE))
    code, said = launch(around)
    nodes, rviz = started(said)
    assert (code, len(nodes), len(rviz)) == (0, 2, 2), said
    assert said.count("use_sim_time: of the next file") == 2
    for robot in ("robot1", "robot2"):
        (node,) = (arguments for arguments in nodes if f"__ns:=/{robot}/loftr " in arguments)
        assert "-p use_sim_time:=True -p max_speed:=2.0 --params-file" in node
        (config,) = re.findall(rf"-d (\S+/{robot}_loftr\.rviz)", "\n".join(rviz))
        config = Path(config)
        assert tmp_path / "log" in config.parents
        assert f"Value: /{robot}/loftr/odometry\n" in config.read_text()
        assert "Fixed Frame: '1'\n" in config.read_text()


def test_the_defaults_are_shown(launch):
    code, said = launch(LAUNCH_FILE, "--show-args")
    assert code == 0
    for name, default in (("namespace", "loftr"), ("max_speed", "100.0"), ("publish_tf", "true"), ("qos", "auto")):
        assert re.search(rf"'{name}':\n.*\n +\(default: '{default}'\)", said), said
