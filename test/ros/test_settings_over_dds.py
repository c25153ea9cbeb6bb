"""Settings of the odometry from a file of parameters, and changed while the node runs."""

import json

LOST, TRACKING = "lost", "tracking"


def test_a_setting_in_a_file_reaches_the_odometry_and_may_change_while_it_runs(ros, program, tmp_path, rendered):
    file = tmp_path / "mine.yaml"
    settings = "{mode: stereo, qos: reliable, process_every_frame: true, min_inliers: 100000}"
    file.write_text(f"/**:\n  ros__parameters: {settings}\n")
    node = ros.start("loftr_ros.ros.main", "--ros-args", "--params-file", file)
    assert state_after_playing(ros, program, tmp_path, rendered) == LOST
    answers = ros.run(program("control.py"), "min_inliers=4", "relocalization_keyframes=0", "min_inliers=25")[1]
    outside, later, accepted = answers.splitlines()
    assert outside.startswith("False ")
    assert all(word in outside for word in ("min_inliers", "8", "100000"))  # rclpy itself says so
    reason = "takes effect when the node is configured: deactivate and clean it up first"
    assert (later, accepted) == (f"False relocalization_keyframes {reason}", "True ")
    assert state_after_playing(ros, program, tmp_path, rendered) == TRACKING  # its time jumps back: it starts over
    assert ros.stop(node)[0] == 0


def state_after_playing(ros, program, tmp_path, sequence):
    collector = ros.start(program("collect.py"), tmp_path / "found.json", len(sequence.stamps_ns))
    assert collector.stdout.readline() == "ready\n"
    code, said, errors = ros.run(
        "loftr_ros.cli", "play", sequence.path, "--mode", "stereo", "--lockstep", "--timeout", 30
    )
    assert code == 0, said + errors
    assert collector.wait(timeout=120) == 0
    return json.loads((tmp_path / "found.json").read_text())["diagnostics"][-1]["values"]["state"]
