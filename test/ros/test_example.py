"""The example that listens to the node."""

from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "subscribe_odometry.py"


def test_subscribe_odometry(ros, rendered):
    listener = ros.start(EXAMPLE)
    ros.node(mode="stereo", qos="reliable", process_every_frame="true")
    ros.start("loftr_ros.cli", "play", rendered.path, "--mode", "stereo", "--loop", "--rate", 10)
    line = listener.stdout.readline()
    assert line.startswith("odom -> base_link: 0.000 0.000 0.000 m, sigma 0.00")
    assert ros.stop(listener) == (0, "")
