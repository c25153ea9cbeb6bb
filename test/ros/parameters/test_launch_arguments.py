"""What the launch file works out, without launch; and the launch file itself, where launch is installed."""

from pathlib import Path

import pytest
import yaml

from loftr_ros.parameters import ParameterError
from loftr_ros.ros.parameters.launch_arguments import (
    ARGUMENTS,
    LaunchArgumentError,
    ParametersFileError,
    boolean,
    misspelled,
    parameters_around,
    plan,
    rviz_config,
    topics_to_find,
    typed,
)
from loftr_ros.ros.parameters.table import PARAMETERS, VoParameters

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "config"
TOPICS = {spec.name: "" for spec in PARAMETERS if spec.name.endswith("image_topic")}


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("/loftr/vo:\n  ros__parameters:\n    base_frame: footprint\n")
    return file


def test_the_camera_is_searched_only_if_nothing_names_its_topics():
    assert topics_to_find({"mode": "stereo"}) == TOPICS
    for name in (*TOPICS, "params_file"):
        assert topics_to_find({name: "x"}) == {}


def test_nothing_is_passed_that_was_not_asked_for(mine):
    """A launch file around this one may set the rest: SetParameter gives way to what is passed to the node."""
    asked = plan({}, {})
    assert (asked.params_file, asked.parameters, asked.time, asked.bag, asked.rviz) == (None, TOPICS, {}, None, False)
    assert not asked.namespace.startswith("/")
    assert plan({}, {"image_topic": "/cam/image", "use_sim_time": "True"}).parameters == {}
    asked = plan({"params_file": str(mine), "max_speed": "3", "use_sim_time": "No"}, {})
    assert (asked.params_file, asked.parameters, asked.time) == (mine, {"max_speed": 3.0}, {"use_sim_time": False})


def test_a_recording_has_its_own_time_unless_that_is_refused(tmp_path):
    assert plan({"bag": str(tmp_path)}, {}).time == {"use_sim_time": True}
    assert plan({"bag": str(tmp_path), "use_sim_time": "off"}, {}).time == {"use_sim_time": False}


def test_arguments_become_what_the_parameters_are():
    given = {"namespace": "/x", "camera_x": "1", "min_variance": "1e-6", "threads": "2", "publish_tf": "False"}
    values = typed(given | {"odom_frame": "1"})
    assert values == {"camera_x": 1.0, "min_variance": 1e-6, "threads": 2, "publish_tf": False, "odom_frame": "1"}
    assert type(values["camera_x"]) is float


@pytest.mark.parametrize(("texts", "value"), [("true True YES on 1", True), ("false No OFF 0", False)])
def test_switches_are_read_in_one_way(texts, value):
    for text in texts.split():
        assert boolean("x", text) is value
        asked = plan({"rviz": text, "use_sim_time": text, "publish_tf": text}, {})
        assert (asked.rviz, asked.time["use_sim_time"], asked.parameters["publish_tf"]) == (value, value, value)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("camera_x", "left", "camera_x is 'left': it must be a float"),
        ("threads", "1.5", "threads is '1.5': it must be an int"),
        ("publish_tf", "yes please", "publish_tf is 'yes please': it must be true or false"),
        ("rviz", "maybe", "rviz is 'maybe': it must be true or false"),
        ("use_sim_time", "2", "use_sim_time is '2': it must be true or false"),
        ("mode", "trio", "mode is 'trio': it must be one of"),
        ("max_pixels", "3", "max_pixels is 3: it must be 4096 to"),
        ("odom_frame", "base_link", "odom_frame is 'base_link': it must be another frame than base_frame"),
        ("bag", "/no/such/bag", "bag /no/such/bag does not exist"),
        ("params_file", "/no/such.yaml", "params_file /no/such.yaml cannot be read: No such file"),
    ],
)
def test_an_argument_that_cannot_be_is_refused_before_anything_starts(name, text, sentence):
    with pytest.raises((ParameterError, LaunchArgumentError), match=sentence):
        plan({name: text}, {})


def test_frames_come_from_the_argument_the_launch_files_around_the_file_or_the_table(mine):
    file = {"params_file": str(mine)}
    around = {"base_frame": "outer"}
    assert plan(file | {"base_frame": "body"}, around).base_frame == "body"
    assert plan(file, around).base_frame == "outer"
    assert plan(file, {}).base_frame == plan({}, file).base_frame == "footprint"
    assert plan(file, {}).odom_frame == plan({}, {}).odom_frame == VoParameters().odom_frame
    assert plan(file | {"odom_frame": VoParameters().base_frame}, {}).odom_frame == "base_link"


def test_launch_files_around_set_parameters_and_files():
    params = [("use_sim_time", True), "/first.yaml", ("odom_frame", "world"), "/second.yaml"]
    assert parameters_around(params) == {
        "use_sim_time": "True",
        "odom_frame": "world",
        "params_file": "/second.yaml",
    }


def test_namespaces_in_a_file_may_be_nested(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "robot:\n  loftr:\n    vo: {ros__parameters: {base_frame: body}}\n  other: {ros__parameters: {x: 1}}\n"
    )
    assert plan({"params_file": str(file)}, {}).base_frame == "body"


@pytest.mark.parametrize(
    ("content", "reason"), [("", "holds"), ("vo: 3", "holds"), ("vo: {parameters: {}}", "holds"), ("{", "is no YAML")]
)
def test_a_file_without_parameters_is_named(tmp_path, content, reason):
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(ParametersFileError, match=rf"params_file .*mine\.yaml {reason}"):
        plan({"params_file": str(file)}, {})


def test_the_arguments_show_what_holds_if_they_are_not_given():
    shown = {argument.name: argument.default for argument in ARGUMENTS}
    asked = plan({}, {})
    assert (shown["namespace"], shown["rviz"], shown["use_sim_time"]) == (asked.namespace, "false", "false")
    assert shown.items() >= asked.parameters.items()
    parameters = {spec.name: shown[spec.name] for spec in PARAMETERS if spec.name not in TOPICS}
    assert vars(VoParameters()) == {**vars(VoParameters()), **typed(parameters)}


def test_arguments_for_experts_are_the_last_and_marked():
    names = [spec.name for spec in PARAMETERS if spec.audience == "expert"]
    assert [argument.name for argument in ARGUMENTS[-len(names) :]] == names
    for argument in ARGUMENTS:
        assert argument.description.startswith("[expert] ") is (argument.name in names)


def test_rviz_shows_the_frames_and_topics_of_the_node():
    template = (CONFIG / "vo.rviz").read_text()
    assert yaml.safe_load(rviz_config(template, "/loftr", "odom", "base_link")) == yaml.safe_load(template)
    for namespace, topic in (("/front/vo", "/front/vo"), ("/", "")):
        patched = rviz_config(template, namespace, "world", "footprint")
        manager = yaml.safe_load(patched)["Visualization Manager"]
        assert manager["Global Options"]["Fixed Frame"] == "world"
        assert manager["Views"]["Current"]["Target Frame"] == "footprint"
        topics = {display["Topic"]["Value"] for display in manager["Displays"] if "Topic" in display}
        assert topics == {f"{topic}/{name}" for name in ("odometry", "path", "points", "match_image")}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("mdoe", "mode"), ("extrinsics_source", "extrinsic_source"), ("param_file", "params_file")],
)
def test_a_misspelled_argument_is_recognized(name, meant):
    assert misspelled(["mode", name]) == {name: meant}


def test_the_arguments_and_those_of_other_launch_files_are_not_misspelled():
    others = ("ros_namespace", "global_params", "camera", "camera_model", "rgb_image_topic", "robot_name")
    assert misspelled([*(argument.name for argument in ARGUMENTS), *others]) == {}
