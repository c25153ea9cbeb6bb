"""What other programs are set to show and to read exists."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PUBLISHED = {f"/loftr/{name}" for name in ("odometry", "matches", "points", "match_image", "path")} | {"/diagnostics"}


def test_foxglove_shows_topics_of_the_node_in_panels_that_are_placed():
    text = (ROOT / "config" / "foxglove.json").read_text()
    assert set(re.findall(r'"(/\w+(?:/\w+)?)(?:"|\.)', text)) <= PUBLISHED
    content = json.loads(text)

    def panels(layout):
        return [layout] if isinstance(layout, str) else panels(layout["first"]) + panels(layout["second"])

    assert sorted(panels(content["layout"])) == sorted(content["configById"])


def test_the_ekf_reads_the_velocity_of_the_node_and_nothing_else():
    (parameters,) = (
        node["ros__parameters"] for node in yaml.safe_load((ROOT / "config" / "ekf.yaml").read_text()).values()
    )
    assert parameters["odom0"] in PUBLISHED
    assert parameters["odom0_config"] == [False] * 6 + [True] * 6 + [False] * 3
    assert parameters["world_frame"] == parameters["odom_frame"]


def test_the_topics_are_those_that_the_program_publishes():
    source = (ROOT / "loftr_ros" / "ros" / "publishers" / "outputs.py").read_text()
    assert {
        f"/loftr/{name}" for name in re.findall(r'create_lifecycle_publisher\(\w+, "(\w+)"', source)
    } == PUBLISHED - {"/diagnostics"}
