"""`loftr-ros train` as a process: from a configuration to weights that load."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from loftr_ros.cli import main

Program = Callable[..., "subprocess.CompletedProcess[str]"]
TINY = "patterns: 2\nsizes: [[64, 64]]\nbatch: 1\nsteps: 2\nbfloat16: false\nfine_matches: 16\nvalidation_pairs: 8\n"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for each other on a busy machine take many times as long as one."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def test_trains_continues_and_loads(loftr_ros_program: Program, tiny: Path, tmp_path: Path) -> None:
    from loftr_ros.loftr.network.config import preset
    from loftr_ros.loftr.weights.checkpoints import load_model

    output = tmp_path / "out"
    options = ("--config", tiny, "--output", output, "--device", "cpu", "--no-progress")
    result = loftr_ros_program("train", *options)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("2 steps, 2 pairs: ")
    assert {path.name for path in output.iterdir()} - {"tensorboard"} == {"state.pt", "model.safetensors", "log.jsonl"}

    result = loftr_ros_program("train", *options, "--resume", output / "state.pt", "--steps", 3)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("3 steps, 3 pairs: ")
    assert f"continuing from {output / 'state.pt'}: steps was 2, now 3\n" in result.stderr
    assert [json.loads(line)["step"] for line in (output / "log.jsonl").read_text().splitlines()] == [2, 3]
    assert load_model(str(output / "model.safetensors")).config == preset("compact")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_run_can_be_continued(tiny: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    state = tmp_path / "out" / "state.pt"
    tiny.write_text(TINY + "save_every: 3\n")
    command = [sys.executable, "-m", "loftr_ros.cli", "train", "--config", str(tiny), "--output", str(state.parent)]
    command += ["--steps", "100000", "--device", "cpu", "--no-progress"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not state.is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert err.endswith(f"interrupted; to continue, add --resume {state}\n")
    saved = torch.load(state, weights_only=True)
    assert out.startswith(f"{saved['step']} steps, ")
    assert saved["step"] >= 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wings: 2", "unknown key 'wings'"),
        ("photos: nowhere", "nowhere has no .jpg or .png photo"),
        ("patterns: 2\nsources: [{kind: sequence, folder: nowhere}]", "nowhere is no folder"),
        ("preset: huge", "unknown preset 'huge'"),
    ],
)
def test_bad_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert_refused(main(["train", "--config", str(path), "--output", str(tmp_path / "out")]), capsys, words)
    assert not (tmp_path / "out").exists()


def test_bad_arguments(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("train", "--config", str(tiny), "--output", str(tmp_path / "out"))
    assert_refused(main([*options, "--steps", "0"]), capsys, "steps is 0: it must be at least 1")
    state = tiny.with_name("state.pt")
    state.write_bytes(b"nothing of use")
    assert_refused(main([*options, "--resume", str(state)]), capsys, "cannot continue from")


def assert_refused(code: int, capsys: pytest.CaptureFixture[str], words: str) -> None:
    """An error of the user is one line on stderr."""
    said = capsys.readouterr().err
    assert code == 2, said
    assert said.startswith("loftr-ros: error: ")
    assert len(said.strip().splitlines()) == 1
    assert words in said
