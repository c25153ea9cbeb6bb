"""What the launch file works out, without launch."""

from pathlib import Path

import pytest
import yaml

from loftr_ros.ros.launching import ParametersFileError, frame, rviz_config, topics_to_find, typed
from loftr_ros.ros.parameter_spec import ParameterError
from loftr_ros.ros.parameters import PARAMETERS, VoParameters

CONFIG = Path(__file__).parents[2] / "config"


def test_the_camera_is_searched_only_if_nothing_names_its_topics():
    topics = {spec.name: "" for spec in PARAMETERS if spec.name.endswith("image_topic")}
    assert topics_to_find({"mode": "stereo"}) == topics
    for name in (*topics, "params_file"):
        assert topics_to_find({name: "x"}) == {}


def test_arguments_become_what_the_parameters_are():
    given = {"namespace": "/x", "camera_x": "1", "min_variance": "1e-6", "threads": "2", "publish_tf": "False"}
    values = typed(given | {"odom_frame": "1"})
    assert values == {"camera_x": 1.0, "min_variance": 1e-6, "threads": 2, "publish_tf": False, "odom_frame": "1"}
    assert type(values["camera_x"]) is float


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("camera_x", "left", "camera_x is 'left', a str: it must be a float"),
        ("threads", "1.5", "threads is '1.5', a str"),
        ("publish_tf", "yes please", "publish_tf is 'yes please'"),
        ("mode", "trio", "mode is 'trio': it must be one of"),
        ("max_pixels", "3", "max_pixels is 3: it must be 4096 to"),
    ],
)
def test_an_argument_that_cannot_be_is_refused_before_anything_starts(name, text, sentence):
    with pytest.raises(ParameterError, match=sentence):
        typed({name: text})


def test_frames_come_from_the_argument_the_file_or_the_table(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("/loftr/vo:\n  ros__parameters:\n    base_frame: footprint\n")
    assert frame("base_frame", {"base_frame": "body"}, file) == "body"
    assert frame("base_frame", {}, file) == "footprint"
    assert frame("odom_frame", {}, file) == VoParameters().odom_frame
    assert frame("odom_frame", {}, CONFIG / "vo.yaml") == VoParameters().odom_frame


@pytest.mark.parametrize("content", [None, "", "vo: 3", "vo: {parameters: {}}", "{"])
def test_a_file_without_parameters_is_named(tmp_path, content):
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ParametersFileError, match=r"params_file .*mine\.yaml"):
        frame("odom_frame", {}, file)


def test_rviz_shows_the_frames_and_topics_of_the_node():
    template = (CONFIG / "vo.rviz").read_text()
    assert yaml.safe_load(rviz_config(template, "/loftr", "odom", "base_link")) == yaml.safe_load(template)
    patched = rviz_config(template, "/front/vo", "world", "footprint")
    manager = yaml.safe_load(patched)["Visualization Manager"]
    assert manager["Global Options"]["Fixed Frame"] == "world"
    assert manager["Views"]["Current"]["Target Frame"] == "footprint"
    topics = {display["Topic"]["Value"] for display in manager["Displays"] if "Topic" in display}
    assert topics == {f"/front/vo/{name}" for name in ("odometry", "path", "points", "match_image")}
