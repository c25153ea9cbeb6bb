"""The node while it runs: services and parameters, over DDS."""

import json
from pathlib import Path

import numpy as np

from loftr_ros.evaluation.trajectory import read_tum
from loftr_ros.sequences.formats import open_sequence

FRAMES = 4


def play(ros, rendered):
    options = ("--mode", "stereo", "--now", "--lockstep", "--frames", FRAMES, "--timeout", 30)
    code, said, errors = ros.run("loftr_ros.cli", "play", rendered.path, *options)
    assert code == 0, said + errors
    assert f"{FRAMES} answered, 0 not" in said


def control(ros, program, *orders):
    """Return the answer to each order: whether it was granted, and what was said."""
    code, said, errors = ros.run(program("control.py"), *orders)
    assert code == 0, errors
    answers = [line.partition(" ") for line in said.split("\n")[:-1]]
    return [(granted == "True", text) for granted, _, text in answers]


def assert_graph_keeps_to(policy, ros, program):
    """Check that the node uses nothing beyond the policy, and all of it but other modes, TF and simulated time."""
    code, said, errors = ros.run(program("graph.py"))
    assert code == 0, errors
    graph = {kind: set(names) for kind, names in json.loads(said).items()}
    assert {kind: graph[kind] - policy[kind] for kind in policy} == {kind: set() for kind in policy}
    assert policy["publish"] - graph["publish"] <= {"/tf"}
    assert policy["reply"] == graph["reply"]
    cameras = {f"/loftr/{side}/{name}" for side in ("left", "right") for name in ("image", "camera_info")}
    assert graph["subscribe"] - {"/tf", "/tf_static", "/clock"} == cameras


def test_a_running_node_is_controlled(ros, program, tmp_path, rendered, assert_consumers_take, policy):
    first, second = tmp_path / "first.tum", tmp_path / "second.tum"
    options = {"qos": "reliable", "process_every_frame": "true", "output_folder": tmp_path}
    node = ros.node(mode="stereo", **options, trajectory_file=first.name, initial_x=1.0)
    collector = ros.start(program("collect.py"), tmp_path / "found.json", 2 * FRAMES)
    assert collector.stdout.readline() == "ready\n", node.poll()
    early, *_ = control(ros, program, "save_trajectory")
    assert early == (False, "there is no trajectory to save: no odometry came since the start or the reset")

    play(ros, rendered)
    answers = control(
        ros, program, "save_trajectory", f"trajectory_file={second}", "initial_x=-5.0", "max_speed=0.01",
        "max_speed=0.0", "mode=mono", "autostart=false", "reset",
    )  # fmt: skip
    granted, texts = zip(*answers, strict=True)
    assert granted == (True, True, True, True, False, False, False, True)
    assert texts[0] == f"wrote the last {FRAMES} poses to {first}"
    assert "max_speed" in texts[4]
    assert texts[5] == "mode takes effect when the node is configured: deactivate and clean it up first"
    assert "read-only" in texts[6]
    assert texts[7] == "the odometry restarts with the next frame"

    play(ros, rendered)
    saved, (recorded, said) = control(ros, program, "save_trajectory", "record_failure")
    assert saved == (True, f"wrote the last {FRAMES} poses to {second}")
    assert recorded, said
    assert len(open_sequence(Path(said.split()[-3]), "stereo")) == 2 * FRAMES
    (estimates,) = tmp_path.glob("failure_*/estimates.json")
    inliers = [frame["inliers"] for frame in json.loads(estimates.read_text())["frames"]]
    # A first frame has no matches; the second time the camera is lost, as its motion is beyond `max_speed`.
    assert [number > 0 for number in inliers] == [False, True, True, True, False, False, False, False]
    assert collector.wait(timeout=120) == 0
    assert_graph_keeps_to(policy, ros, program)
    code, errors = ros.stop(node)
    assert (code, "Traceback" in errors) == (0, False), errors

    found = json.loads((tmp_path / "found.json").read_text())
    odometry = found["odometry"]
    for message in odometry:
        assert_consumers_take(message)
    # A path replaces the one before: a slow subscriber may miss one in the middle, never the newest.
    sizes = {m["stamp_ns"]: 1 + index % FRAMES for index, m in enumerate(odometry)}
    assert [m["poses"] for m in found["path"]] == [sizes[m["stamp_ns"]] for m in found["path"]]
    assert found["path"][-1]["stamp_ns"] == odometry[-1]["stamp_ns"]
    np.testing.assert_allclose(odometry[0]["position"], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(odometry[FRAMES]["position"], [-5, 0, 0], atol=1e-6)
    for file, part in ((first, odometry[:FRAMES]), (second, odometry[FRAMES:])):
        saved = read_tum(file)
        np.testing.assert_allclose(saved.positions, [m["position"] for m in part], atol=1e-6)
        np.testing.assert_allclose(saved.stamps_ns, [m["stamp_ns"] for m in part], atol=1000)
    # Half a meter a second is within the limit at first, then it is impossible and the camera is lost.
    variances = np.array([m["pose_covariance"][0] for m in odometry])
    assert variances[2 * FRAMES - 1] > 10 * variances[FRAMES - 1]


def test_the_compute_budget_changes_while_the_camera_moves(ros, program, tmp_path, rendered, assert_consumers_take):
    node = ros.node(mode="stereo", qos="reliable", process_every_frame="true")
    collector = ros.start(program("collect.py"), tmp_path / "found.json", 2 * FRAMES)
    assert collector.stdout.readline() == "ready\n", node.poll()
    play(ros, rendered)
    answers = control(ros, program, "max_pixels=40000", "max_matches=150", "max_matches=-1", "precision=float32")
    assert [granted for granted, _ in answers] == [True, True, False, False]
    play(ros, rendered)
    assert collector.wait(timeout=120) == 0
    code, errors = ros.stop(node)
    assert (code, "Traceback" in errors) == (0, False), errors

    found = json.loads((tmp_path / "found.json").read_text())
    budgets = [status["values"].get("compute budget (pixels)") for status in found["diagnostics"]]
    assert "at most 1000000" in budgets
    last = found["diagnostics"][-1]["values"]
    assert (budgets[-1], last["compute budget (matches)"]) == ("at most 40000", "at most 150")
    assert (last["state"], last["processed"]) == ("tracking", str(2 * FRAMES))
    counts = [len(message["points"]) for message in found["matches"]]
    assert max(counts[:FRAMES]) > 150
    assert max(counts[FRAMES:]) <= 150
    for message in found["odometry"]:
        assert_consumers_take(message)
    # Both times the camera goes the same way, the second time from where it ended the first time.
    there, again = (np.array(found["odometry"][index]["position"]) for index in (FRAMES - 1, -1))
    np.testing.assert_allclose(again, there, atol=0.02)


def test_a_node_that_is_not_active_says_so(ros, program):
    node = ros.node(autostart="false")
    orders = ("reset", "save_trajectory", "record_failure", "mode=stereo", "mode=trio", "max_speed=2.0")
    answers = control(ros, program, *orders)
    assert answers == [
        (False, "no odometry is running: not active"),
        (False, "the node is not configured, so it has no trajectory: configure and activate it first"),
        (False, "no odometry is running: not active"),
        (True, ""),
        (False, answers[4][1]),
        (True, ""),
    ]
    assert "mode is 'trio': it must be one of mono, stereo" in answers[4][1]
    assert ros.stop(node)[0] == 0


def test_the_only_camera_is_found(ros, program, tmp_path, rendered):
    play = ("loftr_ros.cli", "play", rendered.path, "--mode", "mono", "--now", "--frames", 3, "--timeout", 30)
    ros.start(*play, "--namespace", "/front", "--lockstep", "--listeners", 1)
    node = ros.node(image_topic="''", qos="reliable")
    code, said, errors = ros.run("loftr_ros.cli", "record", "--frames", 3, "--output", tmp_path / "found.tum")
    assert (code, "recorded 3 messages" in said) == (0, True), errors
    code, errors = ros.stop(node)
    assert code == 0
    assert "discovered /front/image, the only mono camera that is publishing" in errors


def test_a_camera_without_calibration_is_named(ros, program):
    ros.start(program("cameras.py"), "/front", "--only", "Image")
    node = ros.node(image_topic="''", input_timeout=3.0)
    told = "start it, or set image_topic; images without a calibration are on /front/image (publish /front/camera_info)"
    listener = ros.start(program("diagnosed.py"), told)
    assert listener.stdout.readline() == "ready\n"
    assert told in listener.communicate(timeout=120)[0]
    assert ros.stop(node)[0] == 0
