"""SIGKILL at random moments: what was done before is in the files, and whatever starts next goes on.

A few in the suite, more by `make faults`, which adds the times to its table.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import cv2
import pytest

from loftr_ros.evaluation.trajectory import read_tum

HERE = Path(__file__).parent
IS_LONG = bool(os.environ.get("LOFTR_ROS_FAULTS"))
FRAMES, SEEDS = (40, range(4)) if IS_LONG else (16, range(1))
TITLES = ["killed", "moment", "estimates or messages until then", "of them lost", "goes on after (s)"]


@pytest.fixture(scope="session")
def there_and_back(rendered: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered sequence, several times there and back."""
    path: Path = tmp_path_factory.mktemp("there_and_back") / "sequences" / "00"
    count = len(rendered.stamps_ns)
    order = [*range(count), *range(count - 2, 0, -1)]
    for side in ("image_0", "image_1"):
        (path / side).mkdir(parents=True)
        for index in range(FRAMES):
            (path / side / f"{index:06d}.png").symlink_to(rendered.path / side / f"{order[index % len(order)]:06d}.png")
    (path / "calib.txt").symlink_to(rendered.path / "calib.txt")
    (path / "times.txt").write_text("".join(f"{1 + 0.1 * index:.1f}\n" for index in range(FRAMES)))
    return path


def next_result(process: subprocess.Popen[str]) -> bool:
    """Wait until a program announces a result among its other lines; returns whether it does."""
    assert process.stdout is not None
    return "announced\n" in iter(process.stdout.readline, "")


def killed_after(process: subprocess.Popen[str], count: int, seconds: float) -> int:
    """Kill a program some time after it has announced a number of results; returns how many it announced in all."""
    assert process.stdout is not None
    assert process.stderr is not None
    for _ in range(count):
        assert next_result(process), process.stderr.read()
    time.sleep(seconds)
    process.kill()
    process.wait()
    return count + process.stdout.read().count("announced")


def assert_complete(folder: Path) -> None:
    """Check that each result is whole: of a killed run there may be any number of them."""
    for path in folder.iterdir():
        if ".part." in path.name or ".live." in path.name:
            continue
        if path.suffix == ".json":
            assert len(json.loads(path.read_text())["frames"]) == FRAMES
        elif path.suffix == ".tum":
            assert len(read_tum(path)) == FRAMES
        elif path.suffix == ".png":
            assert cv2.imread(str(path)) is not None


MOMENTS = ("starting", "working", "writing") if IS_LONG else ("working",)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_goes_on(
    ros: Any, there_and_back: Path, tmp_path: Path, moment: str, seed: int, write_table: Any
) -> None:
    randomly = random.Random(f"{moment} {seed}")
    output = tmp_path / "out"
    command = [HERE / "announced.py", "run", there_and_back, "--mode", "stereo", "--output", output, "--no-progress"]
    command += ["--max-pixels", 20000]
    count = {"starting": 0, "working": randomly.randrange(1, FRAMES - 4), "writing": FRAMES}[moment]
    wait_s = randomly.uniform(0.0, {"starting": 5.0, "working": 0.1, "writing": 2.0}[moment])
    announced = killed_after(ros.start(*command), count, wait_s)

    live, results = output / "trajectory.live.tum", output / "trajectory.tum"
    is_finished = not live.exists() and results.exists()
    if announced:
        rows = read_tum(results if is_finished else live)
        assert announced - 1 <= len(rows) <= announced, "all but the one that was in work"
        assert rows.stamps_ns.tolist() == [10**9 + 10**8 * index for index in range(len(rows))]
    if output.exists():
        assert_complete(output)

    began = time.monotonic()
    process = ros.start(*command, "--resume")
    has_gone_on = next_result(process)
    goes_on_s = time.monotonic() - began
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert has_gone_on or "nothing to resume" in errors
    assert len(read_tum(results)) == FRAMES
    assert_complete(output)
    assert not [path.name for path in output.iterdir() if ".live." in path.name or ".part." in path.name]
    lost = announced - len(rows) if announced else 0
    write_table(TITLES, [["loftr-ros run", moment, announced, lost, round(goes_on_s, 2)]])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_recorder_leaves_all_messages(ros: Any, tmp_path: Path, seed: int, write_table: Any) -> None:
    randomly = random.Random(seed)
    ros.start(HERE / "odometry_source.py")
    recorder = ros.start(HERE / "announced.py", "record", "--output", tmp_path / "out.tum")
    announced = killed_after(recorder, randomly.randrange(1, 300), randomly.uniform(0.0, 0.5))
    rows = read_tum(tmp_path / "out.live.tum")
    assert announced - 1 <= len(rows) <= announced
    first = rows.positions[0, 0]
    assert rows.positions[:, 0].tolist() == [first + index for index in range(len(rows))]
    write_table(TITLES, [["loftr-ros record", "working", announced, announced - len(rows), "-"]])


@pytest.mark.skipif(not IS_LONG, reason="make faults")
@pytest.mark.filterwarnings("ignore")
def test_a_killed_node_is_replaced(ros: Any, rendered: Any, tmp_path: Path, write_table: Any) -> None:
    """As a supervisor would: after each kill a new one tracks, and what was saved is a whole trajectory or none."""
    poses = 20_000
    options = ("mode:=stereo", "max_pixels:=20000", f"output_folder:={tmp_path}", "trajectory_file:=saved.tum")
    node = [str(HERE.parent / "programs" / "long_trajectory.py"), str(poses), "--ros-args", "--log-level", "fatal"]
    node += [argument for option in options for argument in ("-p", option)]
    result = tmp_path / "result.json"
    code, said, errors = ros.run(HERE / "kill_session.py", rendered.path, 1, result, *node, timeout=1200)
    assert code == 0, said + errors
    found = json.loads(result.read_text())
    assert found["invalid"] == []
    assert [row["failures"] for row in found["rows"] if row["failures"]] == []
    assert found["code"] == 0
    saved = tmp_path / "saved.tum"
    assert not saved.exists() or len(read_tum(saved)) >= poses
    write_table(TITLES, [["node", row["moment"], "-", "-", row["tracking_s"]] for row in found["rows"]])
