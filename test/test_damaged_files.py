"""Files that are damaged in hundreds of ways: a reader takes them, or says in one sentence which file is wrong."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.ate import evaluate
from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError, read_trajectory, write_kitti, write_tum
from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.weights.checkpoints import load_model, save_model
from loftr_ros.odometry.config import Mode
from loftr_ros.reports.run_log import read_scale_known
from loftr_ros.sequences.formats import open_sequence

VARIANTS = 100  # of each file
WIDTH, HEIGHT, FRAMES = 64, 48, 3
K = [50.0, 0.0, 31.0, 0.0, 50.0, 23.0, 0.0, 0.0, 1.0]
P = [50.0, 0.0, 31.0, 0.0, 0.0, 50.0, 23.0, 0.0, 0.0, 0.0, 1.0, 0.0]
EYE = np.eye(4).ravel().tolist()

# What stands in text where a number should, and what may stand anywhere.
TOKENS = """
nan inf -inf -1 0 0.0 -0.0 1e308 -1e308 1e-320 1e400 1e19 9223372036854775807 9223372036854775808 1e999999999 0x1F 1_000
1403715273262142976 1403715273262.142 1+2j True 1,5 ² ٣ ½ … 1e 1.2.3 - .inf .nan ~ null 2024-99-99
# % : { [ ' " &a *a !! | !!int !!timestamp !!bool !!binary !!python/object:os.system << ../../.. /dev/null \\x $x^ [/b]
"""
HOSTILE = [
    *TOKENS.split(),
    *("", " ", "\0", "\n", "\r", "\t", "\ufeff", "\u2028", "\ud800", "\x1b[31m", "- ", "!!int x", "&a [*a, *a]"),
    *("9" * 5000, "9" * 300 + ".5", "60:" * 500 + "1.5", "a" * 300, "a/" * 3000, "x" * 100_000),
    *("[" * 3000, "{a: " * 3000, "- " * 3000),
]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return a file as a bad disk, a bad download, a bad script or a bad neighbor leaves it."""
    kind = rng.choice(("cut", "flip", "drop", "repeat", "token", "token", "token", "insert", "line", "lines", "whole"))
    here, there = sorted(rng.choices(range(len(content) + 1), k=2))
    hostile = rng.choice(HOSTILE).encode("utf-8", "surrogatepass")
    if kind == "cut":
        return content[:here]
    if kind == "flip":
        flipped = bytearray(content)
        for _ in range(rng.randint(1, 8)):
            flipped[rng.randrange(len(flipped))] = rng.randrange(256)
        return bytes(flipped)
    if kind == "drop":
        return content[:here] + content[there:]
    if kind == "repeat":
        return content[:there] + content[here:]
    if kind == "insert":
        return content[:here] + hostile + content[here:]
    if kind == "whole":
        return hostile
    separator = rng.choice((b" ", b",")) if kind == "token" else b"\n"
    parts = content.split(separator)
    if kind == "lines":
        rng.shuffle(parts)
    else:
        parts[rng.randrange(len(parts))] = hostile
    return separator.join(parts)


def replaced(path: Path, rng: random.Random) -> None:
    """Put something in the place of a file that is none, or take it away."""
    path.unlink()
    kind = rng.choice(("nothing", "folder", "dangling", "loop", "device", "pipe"))
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "nothing":
        path.symlink_to({"dangling": "nowhere", "loop": path.name, "device": "/dev/null"}[kind])


def variants(path: Path, count: int) -> Iterator[str]:
    """Damage a file in `count` ways, one after the other, and restore it; yields a description of each."""
    content = path.read_bytes()
    for seed in range(count):
        rng = random.Random(f"{path.name} {seed}")
        if seed % 20 == 0:
            replaced(path, rng)
        else:
            path.write_bytes(damaged(content, rng))
        is_text = path.is_file() and not path.is_symlink()
        yield f"seed {seed}: {path.read_bytes()[:300]!r}" if is_text else f"seed {seed}: no file"
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        path.write_bytes(content)


def assert_fails_only_in_a_sentence(path: Path, count: int, use: Callable[[], object]) -> None:
    """Use a file unchanged and in all its variants. Some must fail, or this would test nothing."""
    use()
    failures = 0
    for what in variants(path, count):
        try:
            use()
        except LoftrRosError as error:
            failures += 1
            message = str(error)
            assert message, what
            assert message.isprintable(), (message, what)
            assert len(message) < 1000, (message, what)
            assert any(name in message for name in (path.name, path.parent.name)), (message, what)
        except Exception as error:
            raise AssertionError(f"{path.name} is no reason for {error!r}; {what}") from error
    assert failures


def write_image(path: Path, value: int, dtype: type = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((HEIGHT, WIDTH), value, dtype))


def write_calibration(path: Path, baseline: float = 0.0) -> None:
    fields = {
        "image_width": WIDTH,
        "image_height": HEIGHT,
        "camera_matrix": {"rows": 3, "cols": 3, "data": K},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [-0.1, 0.01, 0.0, 0.0, 0.0]},
        "rectification_matrix": {"rows": 3, "cols": 3, "data": np.eye(3).ravel().tolist()},
        "projection_matrix": {"rows": 3, "cols": 4, "data": [*P[:3], -P[0] * baseline, *P[4:]]},
    }
    path.write_text(yaml.safe_dump(fields))


def kitti(root: Path) -> Path:
    folder = root / "sequences" / "07"
    for camera in range(2):
        for i in range(FRAMES):
            write_image(folder / f"image_{camera}" / f"{i:06d}.png", i)
    rows = [[*P[:3], -P[0] * x, *P[4:]] for x in (0.0, 0.4)]
    (folder / "calib.txt").write_text("".join(f"P{c}: {' '.join(map(str, row))}\n" for c, row in enumerate(rows)))
    (folder / "times.txt").write_text("".join(f"{0.1 * i:e}\n" for i in range(FRAMES)))
    (root / "poses").mkdir()
    (root / "poses" / "07.txt").write_text("".join(f"1 0 0 0 0 1 0 0 0 0 1 {i}\n" for i in range(FRAMES)))
    return folder


def tum(root: Path) -> Path:
    folder = root / "tum"
    for i in range(FRAMES):
        write_image(folder / "rgb" / f"{i}.png", i)
        write_image(folder / "depth" / f"{i}.png", 5000, np.uint16)
    for name in ("rgb", "depth"):
        rows = [f"1305031453.{i}59684 {name}/{i}.png\n" for i in range(FRAMES)]
        (folder / f"{name}.txt").write_text("# timestamp filename\n" + "".join(rows))
    (folder / "depth_scale.txt").write_text("5000\n")
    truth = [f"1305031453.{i}59684 {i} 0 0 0 0 0.6 0.8\n" for i in range(FRAMES)]
    (folder / "groundtruth.txt").write_text("# timestamp tx ty tz qx qy qz qw\n" + "".join(truth))
    write_calibration(folder / "camera.yaml")
    return folder


def euroc(root: Path) -> Path:
    folder = root / "euroc"
    stamps = [1403715273_000000000 + 50_000_000 * i for i in range(FRAMES)]
    for camera in range(2):
        sensor = folder / "mav0" / f"cam{camera}"
        for i, stamp in enumerate(stamps):
            write_image(sensor / "data" / f"{stamp}.png", i)
        (sensor / "data.csv").write_text("#t,filename\n" + "".join(f"{stamp},{stamp}.png\n" for stamp in stamps))
        fields = {
            "T_BS": {"cols": 4, "rows": 4, "data": [*EYE[:3], 0.1 * camera, *EYE[4:]]},
            "resolution": [WIDTH, HEIGHT],
            "intrinsics": [50.0, 50.0, 31.0, 23.0],
            "distortion_model": "radial-tangential",
            "distortion_coefficients": [-0.2, 0.1, 0.0, 0.0],
        }
        (sensor / "sensor.yaml").write_text(f"%YAML:1.0\n{yaml.safe_dump(fields)}")
    truth = folder / "mav0" / "state_groundtruth_estimate0" / "data.csv"
    truth.parent.mkdir()
    truth.write_text("#timestamp\n" + "".join(f"{stamp},{i},0,0,0.8,0,0,0.6,9\n" for i, stamp in enumerate(stamps)))
    return folder


def folder(root: Path) -> Path:
    folder = root / "pair"
    for side in ("left", "right"):
        for i in range(FRAMES):
            write_image(folder / side / f"frame{i}.png", i)
    write_calibration(folder / "left.yaml")
    write_calibration(folder / "right.yaml", baseline=0.4)
    return folder


SEQUENCES = {
    (kitti, "stereo"): ("calib.txt", "times.txt", "image_0/000000.png", "image_1/000001.png", "../../poses/07.txt"),
    (tum, "rgbd"): ("rgb.txt", "depth.txt", "depth_scale.txt", "groundtruth.txt", "camera.yaml", "depth/1.png"),
    (euroc, "stereo"): ("mav0/cam0/data.csv", "mav0/cam1/data.csv", "mav0/cam0/sensor.yaml", "mav0/cam1/sensor.yaml"),
    (euroc, "mono"): ("mav0/state_groundtruth_estimate0/data.csv",),
    (folder, "stereo"): ("left.yaml", "right.yaml", "left/frame1.png"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("write", "mode", "name"),
    [(write, mode, name) for (write, mode), names in SEQUENCES.items() for name in names],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_sequences(write: Callable[[Path], Path], mode: Mode, name: str, tmp_path: Path) -> None:
    root = write(tmp_path)
    truth_alone = "truth" in name or "poses" in name
    refused = []

    def use() -> None:
        sequence = open_sequence(root, mode)
        corners = np.array([[0.0, 0.0], [WIDTH - 1, HEIGHT - 1]])
        for frame in sequence:
            rays = frame.camera.normalize(corners)
            if frame.rig is not None:
                assert np.isfinite(frame.rig.rectification).all()
                frame.rig.project(rays, np.ones(2))
            assert frame.depth is None or np.isfinite(frame.depth).all()
        if sequence.ground_truth is not None:
            write_tum(tmp_path / "truth.tum", sequence.ground_truth)
            stamps = np.array([entry.stamp_ns for entry in sequence.entries])
            standing = Trajectory(stamps, np.tile(np.eye(4), (len(stamps), 1, 1)))
            with suppress(TrajectoryError):  # it is of another time
                evaluate(standing, sequence.ground_truth, with_scale=True)
        if truth_alone and sequence.ground_truth_fault:
            refused.append(sequence.ground_truth_fault)
            raise LoftrRosError(sequence.ground_truth_fault)

    assert_fails_only_in_a_sentence((root / name).resolve(), VARIANTS, use)
    assert not truth_alone or refused


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["truth.tum", "truth.kitti", "times.txt"])
def test_trajectories(name: str, tmp_path: Path) -> None:
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, 0, 3] = np.arange(5)
    estimate = Trajectory(10**8 * np.arange(5), poses)
    write_tum(tmp_path / "truth.tum", estimate)
    write_kitti(tmp_path / "truth.kitti", estimate)
    (tmp_path / "times.txt").write_text("".join(f"{0.1 * i}\n" for i in range(5)))

    def use() -> None:
        truth = read_trajectory(tmp_path / name.replace("times.txt", "truth.kitti"), tmp_path / "times.txt")
        with suppress(TrajectoryError):  # it is of another time
            evaluate(estimate, truth, with_scale=True)

    assert_fails_only_in_a_sentence(tmp_path / name, 2 * VARIANTS, use)


def test_a_pipe_of_the_shell_is_read(tmp_path: Path) -> None:
    write_tum(tmp_path / "a.tum", Trajectory(np.arange(2), np.tile(np.eye(4), (2, 1, 1))))
    code = "import sys, pathlib; from loftr_ros.evaluation.trajectory import read_tum\n"
    code += "print(len(read_tum(pathlib.Path(sys.argv[1]))))"
    command = ["bash", "-c", 'exec "$0" -c "$1" <(cat "$2")', sys.executable, code, str(tmp_path / "a.tum")]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout == "2\n"


def test_report_of_a_run(tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    report.write_text('{"summary": {"scale_known": true, "frames": 3}, "frames": [{"stamp_ns": 1}]}\n')
    assert_fails_only_in_a_sentence(report, VARIANTS, lambda: read_scale_known(tmp_path))


@pytest.mark.usefixtures("one_torch_thread")
def test_checkpoints(tmp_path: Path) -> None:
    """The header says how large the tensors are, so it is what to damage: the rest of a file is numbers."""
    path = tmp_path / "small.safetensors"
    save_model(path, LoFTR(preset("compact")))
    assert_fails_only_in_a_sentence(path, VARIANTS // 3, lambda: load_model(str(path)))
