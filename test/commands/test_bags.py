"""`run`, `check` and `play` with bags: written and read without ROS."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from loftr_ros.cli import main
from loftr_ros.evaluation.trajectory import read_tum

pytestmark = pytest.mark.usefixtures("matcher")


@pytest.fixture
def bag_of(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder as a bag."""

    def write(source: Path, mode: str, *options: str) -> Path:
        path = tmp_path / "made.mcap"
        assert main(["play", str(source), "--mode", mode, "--bag", str(path), *options]) == 0
        return path

    return write


def run(source: Path, output: Path, mode: str, *options: str) -> None:
    assert main(["run", str(source), "--mode", mode, "--output", str(output), "--no-progress", *options]) == 0


@pytest.mark.parametrize(
    ("layout", "mode", "options"),
    [
        ("sideways", "stereo", []),
        ("sideways", "mono", ["--compressed"]),
        ("sideways_rgbd", "rgbd", []),
        ("sideways_rgbd", "rgbd", ["--compressed"]),  # compressed images, raw depth
    ],
)
def test_bag_of_a_folder_has_its_trajectory_to_the_last_digit(
    layout: str,
    mode: str,
    options: list[str],
    request: pytest.FixtureRequest,
    bag_of: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = request.getfixturevalue(layout)
    run(folder, tmp_path / "folder", mode)
    bag = bag_of(folder, mode, *options)
    capsys.readouterr()
    run(bag, tmp_path / "bag", mode)
    said = capsys.readouterr()
    assert said.out.startswith(f"made (bag), {mode}: 6 frames of 320x200 in 0.5 s, with ground truth\n")
    assert "loftr-ros: note: images from /loftr/" in said.err
    for name in ("trajectory.tum", "trajectory.kitti", "groundtruth.tum"):
        assert (tmp_path / "bag" / name).read_text() == (tmp_path / "folder" / name).read_text(), name
    assert "ATE" in said.out


def test_best_mode_is_taken(
    sideways: Path, sideways_rgbd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for source, mode in ((sideways, "stereo"), (sideways_rgbd, "rgbd")):
        assert main(["play", str(source), "--bag", str(tmp_path / "made.mcap"), "--frames", "2"]) == 0
        assert main(["run", str(tmp_path / "made.mcap"), "--output", str(tmp_path / mode), "--no-progress"]) == 0
        assert f"made (bag), {mode}: 2 frames" in capsys.readouterr().out
        assert json.loads((tmp_path / mode / "run.json").read_text())["summary"]["mode"] == mode


def test_results_as_a_bag(sideways: Path, tmp_path: Path) -> None:
    bag = tmp_path / "results" / "run.mcap"
    run(sideways, tmp_path / "out", "stereo", "--bag", str(bag))
    found: dict[str, list[Any]] = {}
    with AnyReader([bag]) as reader:
        for connection, _, content in reader.messages():
            found.setdefault(connection.topic, []).append(reader.deserialize(content, connection.msgtype))
    trajectory = read_tum(tmp_path / "out" / "trajectory.tum")
    assert {topic: len(messages) for topic, messages in found.items()} == {
        "/loftr/odometry": 6,
        "/tf": 6,
        "/tf_static": 1,
        "/diagnostics": 6,
        "/loftr/path": 6,
        "/loftr/matches": 6,
        "/loftr/points": 6,
        "/loftr/match_image/compressed": 6,
    }
    for i, (odometry, T) in enumerate(zip(found["/loftr/odometry"], trajectory.poses, strict=True)):
        assert (odometry.header.frame_id, odometry.child_frame_id) == ("odom", "base_link")
        assert odometry.header.stamp.sec * 10**9 + odometry.header.stamp.nanosec == trajectory.stamps_ns[i]
        position = odometry.pose.pose.position
        np.testing.assert_allclose([-position.y, -position.z, position.x], T[:3, 3], atol=1e-8)
        assert np.linalg.eigvalsh(odometry.pose.covariance.reshape(6, 6)).min() > 0
        (transform,) = found["/tf"][i].transforms
        assert transform.child_frame_id == "base_link"
        assert transform.transform.translation.y == position.y
    assert [pose.pose.position.y for pose in found["/loftr/path"][-1].poses] == [
        odometry.pose.pose.position.y for odometry in found["/loftr/odometry"]
    ]
    assert {value.key: value.value for value in found["/diagnostics"][3].status[0].values}["state"] == "tracking"
    report = json.loads((tmp_path / "out" / "run.json").read_text())
    cloud, points, picture = (found[f"/loftr/{name}"][3] for name in ("matches", "points", "match_image/compressed"))
    table = cloud.data.view("<f4").reshape(cloud.width, len(cloud.fields))
    columns = dict(zip([field.name for field in cloud.fields], table.T, strict=True))
    assert cloud.width == report["frames"][3]["matches"]
    assert columns["inlier"].sum() == report["frames"][3]["inliers"]
    assert 0 < np.median(columns["u_a"] - columns["u_b"]) < 40  # the camera moves to the right
    ahead = points.data.view("<f4").reshape(points.width, 4)[:, 0]  # x of odom
    assert 2.4 < np.median(ahead) < 5.1
    assert cv2.imdecode(picture.data, cv2.IMREAD_COLOR).shape[1] == 640  # keyframe and frame side by side
    (static,) = found["/tf_static"][0].transforms
    assert (static.header.frame_id, static.child_frame_id) == ("base_link", "camera_optical_frame")


def test_interrupted_run_keeps_its_bag(sideways: Path, tmp_path: Path) -> None:
    (sideways / "image_1" / "000003.png").write_bytes(b"")
    bag = tmp_path / "run.mcap"
    options = ["--mode", "stereo", "--output", str(tmp_path / "out"), "--no-progress", "--strict", "--bag", str(bag)]
    assert main(["run", str(sideways), *options]) == 2
    with AnyReader([bag]) as reader:
        assert reader.topics["/loftr/odometry"].msgcount == 3
        assert [name.name for name in tmp_path.iterdir() if name.name.startswith(".")] == []


def test_check_of_a_bag(sideways: Path, bag_of: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    bag = bag_of(sideways, "stereo")
    capsys.readouterr()
    assert main(["check", str(bag), "--json", "--no-motion"]) == 0
    findings = {f["name"]: f for f in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["layout"]["figure"] == "bag"
    assert findings["modes"]["figure"].startswith("mono, stereo")
    assert findings["format"]["figure"] == "320x200, 8 bits, gray"
    assert findings["ground truth"]["figure"] == "6 poses, over the time of 100 % of the frames"


@pytest.mark.parametrize("option", ["up=/a", "image", "image="])
def test_topics_that_are_none(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", str(tmp_path), "--mode", "mono", "--output", str(tmp_path), "--topics", option])
    assert re.search(rf"argument --topics: '{option}' is not ROLE=TOPIC with one of image, ", capsys.readouterr().err)


def test_topics_and_names_of_bags(sideways: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["run", str(sideways), "--mode", "mono", "--output", str(tmp_path / "out")]
    assert main([*options, "--topics", "image=/a"]) == 2
    assert "is no bag of ROS, so it has no topics: remove --topics" in capsys.readouterr().err
    assert main([*options, "--bag", str(tmp_path / "run.db3")]) == 2
    assert "run.db3 cannot be written: a bag is written as .mcap" in capsys.readouterr().err
