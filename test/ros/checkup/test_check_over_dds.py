"""`ros2 run loftr_ros check`: what is found of a camera that publishes, and where none does."""

import json

CHECK = ("loftr_ros.ros.checkup.main", "--json", "--no-motion", "--seconds")


def named(content, name):
    return [finding for finding in content["findings"] if finding["name"] == name]


def faults(content):
    return {finding["name"] for finding in content["findings"] if finding["level"] != "ok"}


def test_a_pair_that_is_played(ros, rendered):
    play = ros.start("loftr_ros.cli", "play", rendered.path, "--mode", "stereo", "--loop", "--now")
    code, said, errors = ros.run(*CHECK, 2, "--ros-args", "-p", "camera_x:=0.2")
    content = json.loads(said)
    assert (code, faults(content), content["mode"]) == (0, set(), "stereo"), said + errors
    assert "listening to live topics for 2 s" in errors
    assert named(content, "camera")[0]["figure"] == "/loftr/left/image + /loftr/right/image"
    for topic, rate in zip(("left", "right"), named(content, "rate"), strict=True):
        assert rate["subject"] == f"/loftr/{topic}/image"
        assert 8 < rate["values"]["rate_hz"] < 12
    assert named(content, "sync")[0]["values"]["equal_share"] == 1
    assert abs(named(content, "baseline")[0]["values"]["baseline_m"] - 0.2) < 1e-6
    assert named(content, "format")[0]["figure"] == "320x240, mono8 + mono8"

    code, said, errors = ros.run(*CHECK, 1, "--ros-args", "-r", "image:=left/image")
    content = json.loads(said)
    assert (code, content["mode"], faults(content)) == (0, "mono", {"camera on base"}), said + errors
    assert named(content, "camera")[0]["figure"] == "/loftr/left/image"

    code, said, _ = ros.run(*CHECK, 2, "--ros-args", "-p", "image_topic:=nothing_here")
    assert code == 1
    (received,) = named(json.loads(said), "received")
    assert received["advice"].startswith("no image on /loftr/nothing_here for 6 s: it has 0 publishers")
    assert ros.stop(play)[0] == 0


def test_depth_is_compressed_and_the_odometry_takes_a_look(ros, rendered_rgbd):
    options = ("--mode", "rgbd", "--loop", "--compressed")
    play = ros.start("loftr_ros.cli", "play", rendered_rgbd.path, *options)
    code, said, errors = ros.run("loftr_ros.ros.checkup.main", "--json", "--seconds", 2, "--frames", 4)
    content = json.loads(said)
    assert (code, content["mode"]) == (0, "rgbd"), said + errors
    assert named(content, "camera")[0]["figure"].endswith("(compressed)")
    assert faults(content) <= {"camera on base"}
    depth, of_matches = named(content, "depth")
    assert abs(depth["values"]["median_m"] - of_matches["values"]["median_m"]) < 0.5
    assert named(content, "tracking")[0]["values"]["tracking"] >= 2
    assert ros.stop(play)[0] == 0


def test_no_camera_but_other_topics(ros, program):
    ros.start(program("cameras.py"), "/front", "--only", "CameraInfo")
    code, said, _ = ros.run("loftr_ros.cli", "check", "--seconds", 1)
    assert code == 1
    flat = " ".join(said.split())
    assert "published topics: 1 of type CameraInfo" in flat
    assert "no mono camera is publishing" in flat
    assert flat.endswith("1 error, 0 warnings: camera")


def test_a_parameter_that_does_not_exist(ros):
    code, said, errors = ros.run("loftr_ros.cli", "check", "--ros-args", "-p", "no_such:=1")
    assert (code, said) == (2, "")
    assert errors.split("\n")[-2].startswith("loftr-ros: error: parameter no_such does not exist")


def test_stamps_that_never_agree_do_not_hide_what_else_is_wrong(ros, program):
    ros.start(program("misbehave.py"), "gap", "never")
    code, said, errors = ros.run(*CHECK, 1)
    content = json.loads(said)
    assert code == 1, said + errors
    assert "the header.frame_id of the images is empty" in named(content, "frame_id")[0]["advice"]
    assert abs(named(content, "sync")[0]["values"]["median_ms"] - 30) < 1
    assert "the stereo baseline is unknown" in named(content, "camera")[1]["advice"]
