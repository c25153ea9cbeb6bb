"""Ctrl-C at any moment ends the node at once, without a word, and with nothing lost."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loftr_ros.evaluation.trajectory import read_tum

# The issue allows two; a machine that runs other tests needs some more.
LIMIT_S = 4.0


def wait_until_signals_are_taken(process):
    """Before that, Python itself has not started."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = re.search(r"SigCgt:\s*(\w+)", status.read_text())
        if int(caught[1], 16) & 1 << (signal.SIGTERM - 1):  # Python itself catches SIGINT
            return
        time.sleep(0.005)


def assert_ends(process, how=signal.SIGINT):
    began = time.monotonic()
    process.send_signal(how)
    said, errors = process.communicate(timeout=120)
    assert time.monotonic() - began < LIMIT_S
    assert process.returncode == 0, errors
    for word in ("Traceback", "RCLError", "Error", "terminate"):
        assert word not in said + errors
    return errors


@pytest.mark.parametrize("seconds", [0, 1, 2, 3, 4, 6])
def test_while_it_starts_and_looks_for_a_camera(ros, seconds):
    node = ros.node(image_topic="''")
    wait_until_signals_are_taken(node)
    time.sleep(seconds)
    assert_ends(node, {4: signal.SIGHUP, 6: signal.SIGTERM}.get(seconds, signal.SIGINT))


def test_while_torch_is_imported(ros):
    node = ros.node()
    maps = Path(f"/proc/{node.pid}/maps")
    while "libtorch" not in maps.read_text():
        assert node.poll() is None
        time.sleep(0.005)
    assert_ends(node)


def test_in_the_middle_of_frames(ros, rendered):
    node = ros.node(mode="stereo", qos="reliable", process_every_frame="true")
    player = ros.start("loftr_ros.cli", "play", rendered.path, "--mode", "stereo", "--loop", "--rate", 20)
    recorder = ("loftr_ros.cli", "record", "--frames", 3, "--output", "/dev/null")
    code, said, errors = ros.run(*recorder)
    assert code == 0, said + errors
    assert_ends(node)
    ros.stop(player)


def test_where_a_script_ignores_the_signal_for_it(ros):
    command = ["sh", "-c", f"trap '' INT; exec {sys.executable} -m loftr_ros.ros.main"]
    node = subprocess.Popen(command, env=ros.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ros.running.append(node)
    while "active" not in (line := node.stderr.readline()):
        assert line, "the node ended before it was active"
    assert_ends(node)


def test_a_trajectory_that_is_being_written_and_the_log_are_complete(ros, program, tmp_path):
    ros.environment |= {"RCUTILS_LOGGING_USE_STDOUT": "1", "ROS_LOG_DIR": str(tmp_path / "log")}
    file, poses = tmp_path / "trajectory.tum", 30_000
    node = ros.start(program("long_trajectory.py"), poses, "--ros-args", "-p", f"output_folder:={tmp_path}")
    ros.start(program("control.py"), "save_trajectory")  # whose answer may or may not leave in the time that is left
    while not file.exists():
        assert node.poll() is None
        time.sleep(0.01)
    node.send_signal(signal.SIGINT)
    said, errors = node.communicate(timeout=120)
    assert (node.returncode, errors) == (0, "")
    assert len(read_tum(file)) == poses
    (log,) = (tmp_path / "log").glob(f"*_{node.pid}_*.log")
    assert "the last line" in said
    assert "the last line" in log.read_text()
