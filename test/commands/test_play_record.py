"""`loftr-ros play` and `record` against each other's absence: every error is a sentence and a code."""

import os
import signal
import subprocess
import sys
import time

import pytest
from rosbags.highlevel import AnyReader

from loftr_ros.cli import main


@pytest.fixture(autouse=True)
def own_domain(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))


def test_play_says_that_nobody_listens(loftr_ros_program, sideways):
    result = loftr_ros_program("play", sideways, "--mode", "stereo", "--timeout", 1)
    assert result.returncode == 2
    assert result.stderr.startswith("loftr-ros: error: nobody subscribes to /loftr/left/camera_info after 1 s")
    assert "Traceback" not in result.stderr


def test_play_refuses_what_is_no_sequence(loftr_ros_program, tmp_path):
    result = loftr_ros_program("play", tmp_path, "--mode", "mono")
    assert result.returncode == 2
    assert "is no sequence" in result.stderr


def test_play_says_of_its_input_what_run_says(loftr_ros_program, sideways_rgbd):
    (sideways_rgbd / "depth_scale.txt").unlink()
    options = ("--mode", "rgbd", "--depth-scale", 1000, "--timeout", 1)
    said = loftr_ros_program("play", sideways_rgbd, *options).stderr
    assert said.startswith("loftr-ros: note: depth in 1000 counts a meter (--depth-scale), median 3.75 m in 0.png\n")


@pytest.mark.parametrize(
    "options", [("--rate", "0"), ("--speed", "-1"), ("--rate", "5", "--lockstep"), ("--frames", "0")]
)
def test_play_refuses_impossible_paces(loftr_ros_program, sideways, options):
    result = loftr_ros_program("play", sideways, "--mode", "mono", *options)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_record_says_that_nothing_came(loftr_ros_program, tmp_path):
    outputs = tmp_path / "out.tum", tmp_path / "out.mcap"
    result = loftr_ros_program("record", "--output", outputs[0], "--bag", outputs[1], "--timeout", 1)
    assert result.returncode == 2
    assert "no odometry arrived on /loftr/odometry" in result.stderr
    assert not any(path.exists() for path in outputs)


def test_record_needs_something_to_write(capsys):
    assert main(["record"]) == 2
    assert "give --output FILE.tum, --bag FILE.mcap, or both" in capsys.readouterr().err


@pytest.mark.parametrize(
    "how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda how: how.name
)
def test_record_writes_what_it_has_when_it_is_ended(loftr_ros_program, sideways, tmp_path, how):
    """A recorder as a script starts it in the background, and a publisher that sends three messages and waits."""
    publisher = (
        "import rclpy, time; from nav_msgs.msg import Odometry\n"
        "rclpy.init(); node = rclpy.create_node('source')\n"
        "pub = node.create_publisher(Odometry, '/loftr/odometry', 10)\n"
        "while not pub.get_subscription_count(): time.sleep(0.05)\n"
        "for i in range(3):\n"
        "    m = Odometry(); m.header.stamp.sec = i; m.pose.pose.position.x = float(i); pub.publish(m)\n"
        "pub.wait_for_all_acked(); print('sent', flush=True); time.sleep(60)\n"
    )
    source = subprocess.Popen([sys.executable, "-c", publisher], stdout=subprocess.PIPE, text=True)
    record = [sys.executable, "-m", "loftr_ros.cli", "record"]
    record += ["--bag", str(tmp_path / "out.mcap")]
    # After SIGKILL there are the poses even of a bag alone.
    record += [] if how == signal.SIGKILL else ["--output", str(tmp_path / "out.tum")]
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *record]
    recorder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert source.stdout.readline() == "sent\n"
        live, end = tmp_path / "out.live.tum", time.monotonic() + 30
        while not (live.is_file() and live.read_text().count("\n") >= 3):  # acknowledged is not yet handled
            assert time.monotonic() < end, "three messages were sent, but not recorded"
            time.sleep(0.05)
        recorder.send_signal(how)
        said, errors = recorder.communicate(timeout=30)
    finally:
        source.kill()
        recorder.kill()
        source.wait()
    file = tmp_path / ("out.live.tum" if how == signal.SIGKILL else "out.tum")
    bag = [] if how == signal.SIGKILL else [tmp_path / "out.mcap"]
    assert {path.name for path in tmp_path.glob("out*")} == {path.name for path in (file, *bag)}
    if how == signal.SIGKILL:
        said = "recorded 3 messages from /loftr/odometry, nothing"
    else:
        assert recorder.returncode == 0, errors
    assert said == "recorded 3 messages from /loftr/odometry, " + said.split(", ")[1]
    rows = [line.split() for line in file.read_text().splitlines()]
    assert [float(row[1]) for row in rows] == [0.0, 1.0, 2.0]
    for path in bag:
        with AnyReader([path]) as reader:
            found = [reader.deserialize(content, connection.msgtype) for connection, _, content in reader.messages()]
        assert [message.pose.pose.position.x for message in found] == [0.0, 1.0, 2.0]
    assert [float(row[0]) for row in rows] == [0.0, 1.0, 2.0]
