"""The camera's place from the TF of ROS, where that is installed."""

import json
import signal

import numpy as np
import pytest

pytest.importorskip("tf2_ros", reason="needs tf2_ros, which the wheels of ROS do not have")
FRAMES = 4


def test_the_mount_comes_from_tf_which_is_left_then_and_may_change(ros, program, tmp_path, rendered):
    mount = ros.start(program("mount.py"), 0.2, 0.7)
    node = ros.node(mode="stereo", qos="reliable", process_every_frame="true", extrinsic_source="tf")
    collector = ros.start(program("collect.py"), tmp_path / "found.json", 2 * FRAMES)
    assert collector.stdout.readline() == "ready\n"
    assert mount.stdout.readline() == "heard True\n"
    play = ("loftr_ros.cli", "play", rendered.path, "--mode", "stereo", "--now", "--lockstep", "--frames", FRAMES)
    assert ros.run(*play)[0] == 0
    assert mount.stdout.readline() == "left True\n"
    mount.send_signal(signal.SIGUSR1)
    assert mount.stdout.readline() == "changed 1\n"
    assert ros.run(*play)[0] == 0
    assert collector.wait(timeout=120) == 0
    code, errors = ros.stop(node)
    assert code == 0
    assert "left/camera_optical_frame on base_link: taken from TF" in errors
    assert errors.count("left/camera_optical_frame on base_link: changed in TF") == 1

    positions = np.array([m["position"] for m in json.loads((tmp_path / "found.json").read_text())["odometry"]])
    np.testing.assert_allclose(positions[FRAMES], positions[FRAMES - 1], atol=1e-9)
    assert np.linalg.norm(positions[FRAMES - 1]) > 0.1
