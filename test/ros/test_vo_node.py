"""The node as its users have it: a process of its own, fed and heard over DDS."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from loftr_ros.evaluation.trajectory import read_tum
from loftr_ros.loftr.weights.checkpoints import load_model, save_model
from loftr_ros.ros.transforms.frames import camera_in_base, camera_pose

CAMERA = {"camera_x": 0.2, "camera_z": 0.5, "camera_pitch": 0.1}
STEP = np.hypot(0.02, 0.05)  # meters a frame of the rendered sequence
LOSSLESS = {"qos": "reliable", "process_every_frame": "true"}


def played(ros, program, tmp_path, sequence, mode, **parameters):
    """Play a sequence to the node; returns what it published, and its exit code and stderr at the end."""
    node = ros.node(mode=mode, **LOSSLESS, **parameters)
    collector = ros.start(program("collect.py"), tmp_path / "found.json", len(sequence.stamps_ns))
    assert collector.stdout.readline() == "ready\n", node.poll()
    code, said, errors = ros.run("loftr_ros.cli", "play", sequence.path, "--mode", mode, "--lockstep", "--timeout", 30)
    assert code == 0, said + errors
    assert collector.wait(timeout=120) == 0
    return json.loads((tmp_path / "found.json").read_text()), ros.stop(node)


def test_stereo_over_dds(ros, program, tmp_path, rendered, assert_consumers_take):
    found, (code, errors) = played(ros, program, tmp_path, rendered, "stereo", **CAMERA, path_length=5)
    assert code == 0, errors
    odometry = found["odometry"]
    assert [m["stamp_ns"] for m in odometry] == rendered.stamps_ns
    for message in odometry:
        assert_consumers_take(message)
    assert_pose_follows(odometry, rendered.poses)

    first, *others = found["matches"]
    assert first["points"] == []
    assert [m["stamp_ns"] for m in others] == rendered.stamps_ns[1:]
    assert others[0]["fields"] == ["u_a", "v_a", "u_b", "v_b", "confidence", "inlier"]
    points = np.array(others[-1]["points"])
    assert len(points) > 50
    assert points[:, [0, 2]].max() < 320
    assert points[:, [1, 3]].max() < 240
    assert set(points[:, 5]) <= {0.0, 1.0}
    assert points[:, 5].mean() > 0.5

    picture = found["match_image"][-1]
    height, width, step, size = picture["sizes"]
    assert picture["encoding"] == "bgr8"
    assert (width, step, size) == (640, 1920, step * height)
    # A path replaces the one before: a slow subscriber may miss one in the middle, never the newest.
    sizes = dict(zip(rendered.stamps_ns, [1, 2, 3, 4] + 8 * [5], strict=True))
    assert [m["poses"] for m in found["path"]] == [sizes[m["stamp_ns"]] for m in found["path"]]
    assert found["path"][-1]["stamp_ns"] == rendered.stamps_ns[-1]

    values = found["diagnostics"][-1]["values"]
    assert values["processed"] == values["received"] == "12"
    assert values["dropped"] == "0"
    assert values["state"] == "tracking"
    assert values["scale known"] == "true"
    assert values["checkpoint"] == "compact"
    assert float(values["processing max (ms)"]) > 0
    assert values["latency (ms)"] == "unknown"  # stamps of a recording
    assert 0 <= float(values["keyframe age (s)"]) <= 1.1


def test_a_rate_that_cannot_be_reached_over_dds(ros, program, tmp_path, rendered, assert_consumers_take):
    """The node gives up pixels and matches while the camera moves, and keeps track."""
    found, (code, errors) = played(ros, program, tmp_path, rendered, "stereo", **CAMERA, target_rate=1000.0)
    assert code == 0, errors
    for message in found["odometry"]:
        assert_consumers_take(message)
    assert_pose_follows(found["odometry"], rendered.poses)
    values = found["diagnostics"][-1]["values"]
    assert (values["target rate (Hz)"], values["state"]) == ("1000", "tracking")
    assert int(values["compute budget (pixels)"].removeprefix("at most ")) <= 320 * 240 / 2
    assert int(values["compute budget (matches)"].removeprefix("at most ")) == 300


def test_a_fast_path_that_is_left_over_dds(ros, program, tmp_path, rendered):
    """With a checkpoint outside the range of float16, odometry continues in float32 with a diagnostics message."""
    model = load_model("compact")
    block = model.backbone.layer3[0]
    with torch.no_grad():
        for values in block.bn1.parameters():
            values *= 1e7
        block.conv2.weight *= 1e-7
    save_model(tmp_path / "large.safetensors", model)
    parameters = {"checkpoint": tmp_path / "large.safetensors", "precision": "float16", "device": "cpu"}
    found, (code, errors) = played(ros, program, tmp_path, rendered, "stereo", **CAMERA, **parameters)
    assert code == 0, errors
    assert "GPU path is switched off" in errors
    assert_pose_follows(found["odometry"], rendered.poses)
    status = found["diagnostics"][-1]
    assert status["level"] == 1
    assert "large.safetensors overflows float16" in status["message"]
    assert status["values"]["precision"] == "float32"


def assert_pose_follows(odometry, truth):
    """The base moves as the ground truth says the camera does, in meters."""
    T_base_camera = camera_in_base(*(CAMERA.get(f"camera_{n}", 0.0) for n in ("x", "y", "z", "roll", "pitch", "yaw")))
    T = np.tile(np.eye(4), (len(odometry), 1, 1))
    T[:, :3, :3] = Rotation.from_quat([m["quaternion"] for m in odometry]).as_matrix()
    T[:, :3, 3] = [m["position"] for m in odometry]
    found = np.array([camera_pose(pose, T_base_camera) for pose in T])
    length = np.linalg.norm(truth[-1, :3, 3])
    assert np.linalg.norm(found[:, :3, 3] - truth[:, :3, 3], axis=1).max() < 0.05 * length
    errors = Rotation.from_matrix(found[:, :3, :3] @ truth[:, :3, :3].transpose(0, 2, 1)).magnitude()
    assert np.degrees(errors).max() < 0.5
    # 0.05 m forward every 0.1 s, of a camera that looks down a little
    forward = np.mean([m["twist"][0] for m in odometry[2:]])
    assert forward == pytest.approx(0.5, rel=0.2)


def test_mono_on_recorded_images_over_dds(ros, program, tmp_path, recorded, loftr_ros_program):
    """Five frames of KITTI by topic give what `loftr-ros run` gives from the disk, frame for frame."""
    source = recorded("kitti/sequences/06")
    node = ros.node(mode="mono", rectified="true", **LOSSLESS)
    options = ("--frames", 5, "--timeout", 60, "--frame", "optical", "--output", tmp_path / "topic.tum")
    recorder = ros.start("loftr_ros.cli", "record", *options, "--json", tmp_path / "record.json")
    play = ("play", source, "--mode", "mono", "--lockstep", "--listeners", 1, "--frames", 5)
    code, said, errors = ros.run("loftr_ros.cli", *play, "--json", tmp_path / "play.json")
    assert code == 0, said + errors
    assert "published 5 frames" in said
    assert "5 answered, 0 not" in said
    assert recorder.wait(timeout=120) == 0, recorder.stderr.read()
    ros.stop(node)

    topic = read_tum(tmp_path / "topic.tum")
    report = json.loads((tmp_path / "record.json").read_text())
    assert report["stamps_ns"] == json.loads((tmp_path / "play.json").read_text())["stamps_ns"]
    assert len(topic) == 5
    run = loftr_ros_program("run", _first(source, 5, tmp_path), "--mode", "mono", "--output", tmp_path, "--no-progress")
    assert run.returncode == 0, run.stderr
    np.testing.assert_allclose(topic.poses, read_tum(tmp_path / "trajectory.tum").poses, atol=1e-3)


def test_mono_in_meters_by_wheels_over_dds(ros, program, tmp_path, rendered, assert_consumers_take):
    wheels = ros.start(program("wheels.py"), STEP / 0.1, 2.5)
    found, (code, errors) = played(ros, program, tmp_path, rendered, "mono", scale_source="odometry")
    assert wheels.wait(timeout=120) == 0, wheels.stderr.read()
    assert code == 0, errors
    for message in found["odometry"]:
        assert_consumers_take(message)
    first, last = (np.array(found["odometry"][index]["twist"]) for index in (1, -1))
    # Before the wheels are asked, in units of the distance of the walls, which are several meters off.
    assert np.linalg.norm(first[:3]) < 0.5 * STEP / 0.1
    assert np.linalg.norm(last[:3]) == pytest.approx(STEP / 0.1, rel=0.2)


def _first(source, count, tmp_path):
    """Make a KITTI sequence of the first frames of another."""
    folder = tmp_path / "sequences" / "06"
    (folder / "image_0").mkdir(parents=True)
    (folder / "calib.txt").symlink_to(source / "calib.txt")
    (folder / "times.txt").write_text("\n".join((source / "times.txt").read_text().split("\n")[:count]) + "\n")
    for index in range(count):
        name = f"image_0/{index:06d}.png"
        (folder / name).symlink_to(source / name)
    return folder


def test_the_lifecycle_can_be_walked_twice(ros, program):
    node = ros.node(autostart="false")
    round_trip = ["configure", "activate", "deactivate", "cleanup"]
    code, said, errors = ros.run(program("transitions.py"), *round_trip, *round_trip)
    assert code == 0, errors
    labels = ["inactive", "active", "inactive", "unconfigured"]
    assert said.split("\n")[:-1] == [f"{name} True {label}" for name, label in zip(round_trip, labels, strict=True)] * 2
    assert ros.stop(node)[0] == 0


@pytest.mark.parametrize("how", [(signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)], ids=str)
def test_an_active_node_ends_cleanly(ros, how):
    """By SIGINT alone the other tests end it."""
    node = ros.node()
    while "active" not in (line := node.stderr.readline()):
        assert line, "the node ended before it was active"
    for signal_number in how:
        node.send_signal(signal_number)
        time.sleep(0.05)
    _, errors = node.communicate(timeout=120)
    assert (node.returncode, "Traceback" in errors) == (0, False), errors


CANNOT_START = [
    ({"device": "abacus"}, "device 'abacus'"),
    ({"max_pixels": 3}, "max_pixels is 3: it must be 4096 to 16777216 pixels"),
    ({"mode": "trio"}, "mode is 'trio': it must be one of mono, stereo"),
    ({"scale_source": "camera_height"}, "camera_height is 0.0: it must be above 0 m for scale_source camera_height"),
    ({"ransac_threshold_px": -1.0}, "ransac_threshold_px is -1.0: it must be 0.01 to 100 px"),
    ({"mask_image": "/no/such/mask.png"}, "mask_image /no/such/mask.png cannot be read: No such file"),
]


def test_a_node_that_cannot_start_says_why_in_one_sentence(ros, program):
    """All in one process."""
    parameters = [[f"{name}:={value}" for name, value in one.items()] for one, _ in CANNOT_START]
    code, said, errors = ros.run(program("starts.py"), json.dumps(parameters))
    assert code == 0, errors
    for (_, sentence), (code, errors) in zip(CANNOT_START, json.loads(said), strict=True):
        assert code == 2, errors
        assert_one_sentence(errors, sentence)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"checkpoint": "no_such_file.safetensors"}, "no_such_file.safetensors"),
        ({"imgae_topic": "camera"}, "parameter imgae_topic does not exist"),
    ],
)
def test_a_process_that_cannot_start_says_why_in_one_sentence(ros, parameters, sentence):
    node = ros.node(**parameters)
    _, errors = node.communicate(timeout=120)
    assert node.returncode == 2
    assert_one_sentence(errors, sentence)


def assert_one_sentence(errors, sentence):
    last = errors.strip().split("\n")[-1]
    assert last.startswith("vo_node: error: ")
    assert sentence in last
    assert "Traceback" not in errors


def test_the_module_of_the_node_is_a_program():
    command = [sys.executable, "-m", "loftr_ros.ros.vo_node", "--ros-args", "-p", "max_pixels:=3"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "max_pixels is 3" in ended.stderr


@pytest.mark.parametrize(
    ("mode", "cases"),
    [
        (
            "mono",
            {
                "no-info": "no camera info on /loftr/camera_info",
                "encoding": "on /loftr/image have the encoding '32FC1'",
                "stands-still": "no stamp was later than 7.000 s for 1 s",
            },
        ),
        (
            "stereo",
            {
                "no-baseline": "the stereo baseline is unknown",
                "sizes": "160x96",
                "gap": "the closest are 30.0 ms apart: set sync to approximate and sync_slop to more than 0.0300",
            },
        ),
    ],
)
def test_input_that_cannot_be_used_is_a_diagnostics_error(ros, program, mode, cases):
    node = ros.node(mode=mode, input_timeout=1.0)
    for case, expected in cases.items():
        code, said, errors = ros.run(program("misbehave.py"), case, expected)
        assert code == 0, errors
        assert expected in said
        assert said.count("\n") == 1
    code, errors = ros.stop(node)
    assert (code, "Traceback" in errors) == (0, False), errors
