"""One table of parameters, and what is made from it."""

import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from loftr_ros.loftr.network.precision import Precision
from loftr_ros.loftr.runtime.budget import DEFAULT_BUDGET, ComputeBudget
from loftr_ros.odometry.config import SPECS, OdometryConfig
from loftr_ros.parameters import Audience, ParameterError
from loftr_ros.ros.parameters.table import PARAMETERS, VoParameters, compute_budget, odometry_config, validated

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def written():
    """Load the tool that writes the files from the table."""
    spec = importlib.util.spec_from_file_location("write_parameter_docs", ROOT / "tools" / "write_parameter_docs.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_the_written_files_are_up_to_date(written):
    """If not, run `python tools/write_parameter_docs.py`."""
    assert (ROOT / "config" / "vo.yaml").read_text() == written.vo_yaml()
    assert (ROOT / "docs" / "parameters.md").read_text() == written.parameters_markdown()


@pytest.mark.parametrize("spec", PARAMETERS, ids=lambda spec: spec.name)
def test_the_page_and_the_file_say_all_about_a_parameter(written, spec):
    (row,) = (line for line in written.parameters_markdown().split("\n") if line.startswith(f"| `{spec.name}` |"))
    before, _, _ = written.vo_yaml().partition(f"\n    {spec.name}: ")
    comment = " ".join(before.rpartition("\n    # [")[2].replace("\n    # ", " ").split())
    for fact in (spec.description, spec.constraints):
        assert fact in row
        assert fact in " ".join(before.replace("\n    # ", " ").split())
    assert f"| {spec.audience} |" in row
    assert comment.startswith(f"{spec.audience}] {spec.description}") is (spec.audience != "everyone")


def test_the_file_of_defaults_is_the_table():
    content = yaml.safe_load((ROOT / "config" / "vo.yaml").read_text())
    values = content["/**"]["ros__parameters"]
    assert values == {spec.name: spec.default for spec in PARAMETERS}
    assert list(values) == [spec.name for spec in PARAMETERS]
    for spec in PARAMETERS:
        assert type(values[spec.name]) is type(spec.default), spec.name


@pytest.mark.parametrize("spec", PARAMETERS, ids=lambda spec: spec.name)
def test_every_row_is_complete(spec):
    spec.check(spec.default)
    assert spec.description[0].isupper()
    assert not (spec.read_only and spec.runtime)
    if type(spec.default) in (int, float):
        assert spec.low is not None
        assert spec.high is not None


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"mode": "trio"}, "mode is 'trio': it must be one of mono, stereo"),
        ({"max_pixels": 1}, "max_pixels is 1: it must be 4096 to 16777216 pixels"),
        ({"sync_slop": 2.0}, "sync_slop is 2.0: it must be 0.0001 to 1 s"),
        ({"sync_slop": float("nan")}, "sync_slop is nan"),
        ({"camera_x": "1"}, "camera_x is '1': it must be a float"),
        ({"threads": True}, "threads is True: it must be an int"),
        ({"imgae_topic": "x"}, "imgae_topic does not exist: the parameters are autostart"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(values, sentence):
    with pytest.raises(ParameterError, match=sentence):
        validated(values)


def test_a_whole_number_is_a_length_too():
    assert validated({"camera_x": 1}).camera_x == 1.0
    assert type(validated({"camera_x": 1}).camera_x) is float


def test_what_is_not_given_is_the_default():
    assert validated({}) == VoParameters()
    assert dataclasses.asdict(VoParameters()) == {spec.name: spec.default for spec in PARAMETERS}


@pytest.mark.parametrize("setting", SPECS, ids=lambda spec: spec.name)
def test_every_setting_of_the_odometry_is_a_parameter_and_reaches_it(setting):
    """With the same range, default and audience; a field without exception."""
    (spec,) = (spec for spec in PARAMETERS if spec.name == setting.name)
    assert dataclasses.replace(spec, section="", description="") == dataclasses.replace(setting, description="")
    value = another(setting)
    assert value != setting.default
    assert odometry_config(validated({setting.name: value})) == OdometryConfig(**{setting.name: value})


def another(spec):
    """Return a value of a parameter that is not its default."""
    if isinstance(spec.default, bool):
        return not spec.default
    if spec.choices:
        return spec.choices[1]
    return type(spec.default)((spec.default + spec.high) / 2)


def test_every_field_of_the_odometry_says_what_it_is():
    assert [spec.name for spec in SPECS] == [field.name for field in dataclasses.fields(OdometryConfig)]
    assert {spec.audience for spec in SPECS} == set(get_args(Audience))


def test_the_odometry_is_set_by_the_table_and_by_default_as_elsewhere():
    assert odometry_config(VoParameters()) == OdometryConfig()
    changed = odometry_config(VoParameters(mode="stereo", max_speed=2.0, max_angular_velocity=3.0, max_prediction=4.0))
    assert changed == OdometryConfig(mode="stereo", max_speed=2.0, max_angular_velocity=3.0, max_prediction=4.0)
    metric = {"scale_source": "camera_height", "camera_height": 0.5, "camera_pitch": 0.2}
    assert odometry_config(validated(metric)) == OdometryConfig(**metric)
    assert odometry_config(validated(metric), 0.3).camera_pitch == 0.3


def test_the_compute_budget_is_set_by_the_table_and_by_default_as_elsewhere():
    assert compute_budget(VoParameters()) == DEFAULT_BUDGET
    assert compute_budget(VoParameters(max_pixels=5000, max_matches=7)) == ComputeBudget(5000, 7)


def test_the_precisions_are_those_of_the_network():
    (spec,) = (spec for spec in PARAMETERS if spec.name == "precision")
    assert spec.choices == get_args(Precision)


def test_the_table_can_be_read_without_ros():
    code = "import sys, loftr_ros.ros.parameters.table; sys.exit('rclpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_the_launch_file_declares_every_parameter():
    pytest.importorskip("launch_ros", reason="needs launch_ros, which the wheels do not have")
    launch = pytest.importorskip("launch")
    source = launch.launch_description_sources.PythonLaunchDescriptionSource(str(ROOT / "launch" / "vo.launch.py"))
    arguments = source.get_launch_description(launch.LaunchContext()).get_launch_arguments()
    declared = {argument.name for argument in arguments}
    assert declared == {spec.name for spec in PARAMETERS} | {"params_file", "namespace", "rviz", "bag", "use_sim_time"}


@pytest.mark.parametrize("name", ["image", "/camera/image_raw", "~/image", "{node}/image", "/a/_b1", ""])
def test_topics(name):
    assert validated({"image_topic": name}).image_topic == name


@pytest.mark.parametrize("name", ["a b", "image/", "//image", "a//b", "/", "1st/image", "bild/ä", "image\n"])
def test_names_that_no_topic_has(name):
    with pytest.raises(ParameterError, match="must be a topic, such as"):
        validated({"image_topic": name})


@pytest.mark.parametrize("name", ["", "/odom", "odom frame", " odom"])
def test_names_that_no_frame_has(name):
    with pytest.raises(ParameterError, match="must be a frame of tf2"):
        validated({"odom_frame": name})


def test_a_frame_has_no_transform_to_itself():
    with pytest.raises(ParameterError, match="odom_frame is 'base_link': it must be another frame than base_frame"):
        odometry_config(validated({"odom_frame": "base_link"}))
    odometry_config(validated({"odom_frame": "base_link", "base_frame": "body"}))
