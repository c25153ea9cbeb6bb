"""What comes into the node, as real cameras would send it, over DDS."""

import json
import re

import numpy as np
import pytest

LOSSLESS = {"qos": "reliable", "process_every_frame": "true"}


@pytest.fixture
def session(ros, program, tmp_path, assert_consumers_take):
    """Start a node and a collector of its messages, play sequences to it, and return what was published."""

    class Session:
        def __init__(self, expected, **parameters):
            self.parameters = {**parameters, **LOSSLESS}
            self.node = ros.node(**self.parameters)
            self.collector = ros.start(program("collect.py"), tmp_path / "found.json", expected)
            assert self.collector.stdout.readline() == "ready\n", self.node.poll()

        def play(self, path, mode, *options):
            code, said, errors = ros.run("loftr_ros.cli", "play", path, "--mode", mode, "--timeout", 30, *options)
            assert code == 0, said + errors

        def replace_killed_node(self):
            self.node.kill()
            self.node.communicate()
            self.node = ros.node(**self.parameters)

        def end(self):
            """Return what was published, and what the node said."""
            assert self.collector.wait(timeout=120) == 0
            code, errors = ros.stop(self.node)
            assert (code, "Traceback" in errors) == (0, False), errors
            found = json.loads((tmp_path / "found.json").read_text())
            for message in found["odometry"]:
                assert_consumers_take(message)
            return found, errors

    return Session


def body(T_world_camera):
    """Positions (N, 3) of a camera in the axes of its body: x forward, y left, z up."""
    x, y, z = T_world_camera[:, :3, 3].T
    return np.stack([z, -x, -y], axis=1)


def assert_positions(odometry, expected):
    found = np.array([m["position"] for m in odometry])
    assert np.linalg.norm(found - expected, axis=1).max() < 0.05 * np.linalg.norm(np.ptp(expected, axis=0))


@pytest.mark.parametrize(("mode", "transport"), [("rgbd", "raw"), ("rgbd", "compressed"), ("stereo", "compressed")])
def test_modes_and_transports(session, rendered, rendered_rgbd, mode, transport):
    """Raw stereo and mono are in test_vo_node.py; a single camera's compressed images are the left ones of a pair."""
    frames = 6
    run = session(frames, mode=mode, image_transport=transport)
    compressed = ["--compressed"] if transport == "compressed" else []
    source = rendered_rgbd.path if mode == "rgbd" else rendered.path
    run.play(source, mode, "--lockstep", "--frames", frames, *compressed)
    found, _ = run.end()
    assert [m["stamp_ns"] for m in found["odometry"]] == rendered.stamps_ns[:frames]
    assert found["diagnostics"][-1]["values"]["state"] == "tracking"
    assert_positions(found["odometry"], body(rendered.poses[:frames]))


def test_compressed_images_that_claim_gigabytes(ros, program, rendered):
    """Each is dropped before its memory is allocated, and the odometry goes on with the images after it."""
    node = ros.node(mode="stereo", image_transport="compressed", qos="reliable")
    code, said, errors = ros.run(program("oversized.py"), rendered.path, node.pid)
    assert code == 0, errors
    found = json.loads(said)
    for message, size in zip(found["said"], ("16384x16384", "65500x65500", "32768x32768"), strict=True):
        assert message.startswith("an image on /loftr/left/image/compressed of ")
        assert f"bytes claims to have {size} pixels, but the camera info 320x240" in message
    assert found["growth_mib"] < 256
    assert (found["frames"], found["state"]) == (list(range(6)), "tracking")
    code, errors = ros.stop(node)
    assert (code, "Traceback" in errors) == (0, False), errors


def test_time_that_jumps_back(session, ros, program, rendered):
    """A recording that starts over: the odometry goes on, or restarts; what is only a little earlier is ignored."""
    run = session(36, mode="stereo")
    for _ in range(2):
        run.play(rendered.path, "stereo", "--lockstep")
    code, said, _ = ros.run(program("control.py"), "on_time_jump=restart")
    assert (code, said) == (0, "True \n")
    run.play(rendered.path, "stereo", "--lockstep", "--frames", 3)
    run.play(rendered.path, "stereo", "--rate", 20)
    found, said = run.end()

    way = body(rendered.poses)
    first, second, third = (found["odometry"][i : i + 12] for i in (0, 12, 24))
    assert [m["stamp_ns"] for m in first] == [m["stamp_ns"] for m in second] == rendered.stamps_ns
    assert_positions(first, way)
    end = first[-1]
    for name in ("position", "quaternion"):
        np.testing.assert_allclose(second[0][name], end[name], atol=1e-6)
    # It turned by 4.4 degrees to the right on the first lap, and so all of the second lap is turned.
    c, s = np.cos(np.radians(4.4)), np.sin(np.radians(4.4))
    assert_positions(second, way @ [[c, -s, 0], [s, c, 0], [0, 0, 1]] + end["position"])
    variances = [m["pose_covariance"][0] for m in first + second]
    assert variances[12] >= variances[11] > variances[0]
    assert_positions(third, way)
    # The path starts over with the odometry, once; a slow subscriber may miss one in the middle.
    sizes = np.array([m["poses"] for m in found["path"]])
    assert (np.count_nonzero(np.diff(sizes) < 0), sizes[-1]) == (1, 12)
    assert sizes.max() >= 23

    values = found["diagnostics"][-1]["values"]
    assert (values["received"], values["processed"]) == ("36", "36")
    assert (values["stale stamps"], values["duplicate stamps"]) == ("2", "1")
    assert [line.split("on_time_jump is ")[1] for line in said.split("\n") if "jumped back" in line] == [
        "continue",
        "restart",
    ]


def test_a_camera_restarts_at_another_resolution_and_a_killed_node_is_replaced(session, rendered, half_size_way_back):
    frames = len(rendered.stamps_ns)
    run = session(2 * frames + 3, mode="stereo")
    run.play(rendered.path, "stereo", "--lockstep", "--now")
    run.play(half_size_way_back, "stereo", "--lockstep", "--now")
    run.replace_killed_node()
    run.play(half_size_way_back, "stereo", "--lockstep", "--frames", 3)
    odometry = run.end()[0]["odometry"]
    way = body(rendered.poses)
    assert_positions(odometry[: 2 * frames], np.concatenate([way, way[::-1]]))
    assert odometry[2 * frames]["position"] == [0.0, 0.0, 0.0]


def test_a_publisher_of_another_quality_of_service_is_told_in_log_and_diagnostics(ros, program):
    # Simulated time is not published; the watchdog uses the steady clock.
    node = ros.node(mode="mono", qos="reliable", input_timeout=1.0, use_sim_time="true")
    expected = "no image on /loftr/image for 1 s: it has 1 publisher (best effort) and qos is reliable; set qos to auto"
    code, said, errors = ros.run(program("misbehave.py"), "best-effort", expected)
    assert (code, said) == (0, f"{expected}\n"), errors
    code, errors = ros.stop(node)
    assert (code, "Traceback" in errors) == (0, False), errors
    for topic in ("image", "camera_info"):
        assert f"a publisher of /loftr/{topic} offers another RELIABILITY than requested" in errors


def test_by_default_the_subscriptions_are_as_reliable_as_the_publishers(ros, program):
    """Best effort loses nearly all large pairs, and a reliable subscription gets none of a best-effort publisher."""
    node = ros.node(mode="stereo", max_pixels=4096)
    code, said, errors = ros.run(program("pairs.py"), 30, "RELIABLE:1226x370", "BEST_EFFORT:128x96")
    assert code == 0, errors
    large, small = map(int, said.split())
    assert large >= 28
    assert small >= 25  # of best effort some may be lost on a busy machine
    code, errors = ros.stop(node)
    assert (code, "Traceback" in errors, "offers another" in errors) == (0, False, False), errors
    for side in ("left", "right"):
        told = [line.split(": ", 2)[-1] for line in errors.split("\n") if f"to /loftr/{side}/image as" in line]
        assert told[:2] == [
            "its publishers offer reliable",
            "its publishers offer reliable, best effort",
        ]


def test_a_second_node_on_the_same_topics_is_a_warning(ros, program):
    nodes = [ros.node(input_timeout=60.0) for _ in range(2)]
    expected = "2 nodes publish /loftr/odometry (/loftr/vo, /loftr/vo): end all but one, or give each its own namespace"
    code, said, errors = ros.run(program("misbehave.py"), "twins", expected)
    assert (code, said) == (0, f"{expected}\n"), errors
    assert [ros.stop(node)[0] for node in nodes] == [0, 0]


@pytest.mark.parametrize(
    ("case", "what"),
    [
        ("two-clocks", "the stamps of the images jumped back"),
        ("two-calibrations", "the calibration of the images changed"),
    ],
)
def test_a_second_camera_on_the_same_topics_is_a_warning(ros, program, case, what):
    """Such as a recording that is played beside the live camera: each image restarts the odometry."""
    node = ros.node(qos="reliable", max_pixels=4096)
    code, said, errors = ros.run(program("misbehave.py"), case, what)
    assert code == 0, errors
    assert re.search(rf"{what} \d+ times in 10 s, which disturbs the odometry each time: let one driver", said), said
    code, errors = ros.stop(node)
    assert (code, "Traceback" in errors) == (0, False), errors
    assert errors.count(f"{what}: on_time_jump") == 2 * (case == "two-clocks")
