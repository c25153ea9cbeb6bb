"""bench/gpu.py: all parts run, on a machine with few packages, and none depends on another."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from loftr_ros.loftr.runtime.inference import FastNetwork
from loftr_ros.loftr.weights.checkpoints import load_model
from loftr_ros.training import loop

Bench = Callable[[str], ModuleType]

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "bench" / "gpu.py"
NEEDED = ("torch", "numpy", "opencv-python-headless", "scipy", "safetensors", "rich", "pytest")


@pytest.fixture
def few_packages(tmp_path: Path) -> dict[str, str]:
    """Environment of a machine without a GPU, where only what bench/gpu.py says it needs can be imported."""
    needed: set[str] = set()
    waiting = list(NEEDED)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name not in needed:
            needed.add(name)
            waiting += _requirements(name)
    absent = [
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if module != "loftr_ros" and not needed & {re.sub(r"[-_.]+", "-", name).lower() for name in distributions}
    ]
    assert {"yaml", "PIL", "matplotlib", "hypothesis", "kornia", "xdist"} & set(absent)
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({absent}))\n")
    return os.environ | {
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def _requirements(name: str) -> list[str]:
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:  # for another Python or system
        return []
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]


def test_everything_runs_where_there_is_little(few_packages: dict[str, str], tmp_path: Path) -> None:
    """From another folder, small, on the CPU; the limits are for a machine that does much else."""
    output = tmp_path / "out"
    command = [sys.executable, str(SCRIPT), "--minutes", "30", "--output", "out"]
    done = subprocess.run(
        command, env=few_packages, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    logs = "".join(path.read_text() for path in output.glob("*.log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    outcomes = json.loads((output / "gpu.json").read_text())["tables"][0]["outcomes"]
    figures = {one["name"]: one["figures"] for one in outcomes}
    assert {one["result"] for one in outcomes} == {"passed"}
    assert list(figures) == ["device", "tests", "speed 128x96", "odometry", "memory", "training"]
    assert "finds no GPU" in figures["device"]
    assert re.match(r"\d+ passed, \d+ skipped", figures["tests"])
    assert re.search(r"LoFTR compact [\d.]+ ms \(roofline [\d.]+.*kornia LoFTR not installed", figures["speed 128x96"])
    assert re.match(r"[\d.]+ mm and [\d.]+ degrees from the CPU's", figures["odometry"])
    assert re.match(r"compact 128x96: \d+ MiB", figures["memory"])
    assert int(figures["training"].split(" pairs")[0]) > 0
    assert "| training | passed |" in (output / "gpu.md").read_text()
    last = json.loads((output / "train" / "minutes.jsonl").read_text().splitlines()[-1])
    assert last["pairs_per_second"] > 0
    assert load_model(str(output / "train" / "model.safetensors")).config == load_model("compact").config


@pytest.fixture
def run_part(bench: Bench, tmp_path: Path) -> Callable[..., Any]:
    parts = bench("parts")

    def run(code: str, limit: float = 60.0, figures: Callable[[], str] = lambda: "fast") -> Any:
        part = parts.Part("a part", [sys.executable, "-c", code], limit, figures)
        return parts.run_part(part, tmp_path / "a_part.log", tmp_path)

    return run


def test_a_part_that_fails(run_part: Callable[..., Any], tmp_path: Path) -> None:
    outcome = run_part("print('said'); raise SystemExit(3)")
    assert (outcome.result, outcome.figures) == ("failed, exit code 3: a_part.log", "fast")
    assert (tmp_path / "a_part.log").read_text() == "said\n"
    assert run_part("import os; os.kill(os.getpid(), 9)").result == "failed, signal 9: a_part.log"
    assert run_part("", figures=lambda: str({}["figures"])).figures == "no figures (KeyError)"


def test_a_part_that_does_not_end(run_part: Callable[..., Any], tmp_path: Path) -> None:
    """It may save what it has, and whatever it has started ends with it."""
    child = f"import time; time.sleep(3); open({str(tmp_path / 'alive')!r}, 'w')"
    code = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("saved", flush=True), sys.exit(0)))
subprocess.Popen([sys.executable, "-c", {child!r}])
time.sleep(60)
"""
    outcome = run_part(code, limit=2.0)
    assert outcome.result == "stopped after 2 s"
    assert outcome.seconds < 30
    assert (tmp_path / "a_part.log").read_text() == "saved\n"
    time.sleep(3)
    assert not (tmp_path / "alive").exists()


def test_an_odometry_by_the_fallback_is_not_passed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one_torch_thread: None
) -> None:
    """It is right, but not that of the path for GPUs."""
    match = FastNetwork.match

    def shifted(*arguments: Any) -> Any:
        table = match(*arguments)
        table[:, 1] += 1.0
        return table

    monkeypatch.setattr(FastNetwork, "match", shifted)
    options = ["--device", "cpu", "--frames", "4", "--size", "160", "128", "--output", str(tmp_path / "odometry.json")]
    assert bench("gpu_odometry").main(options) == 1
    written = json.loads((tmp_path / "odometry.json").read_text())
    assert written["meters_apart"] < 1e-3
    assert "switched off" in written["fallback"]
    assert "switched off" in written["figures"]


def test_training_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one_torch_thread: None, capfd: Any
) -> None:
    """With photos, with less memory than it asks for, and from where it was."""
    training = bench("gpu_training")
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))
    advance, batches = training.Trainer.advance, []

    def with_little_memory(self: Any) -> Any:
        batches.append(self.config.batch)
        if self.config.batch > 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return advance(self)

    monkeypatch.setattr(training.Trainer, "advance", with_little_memory)
    monkeypatch.setattr(loop, "LINE_TEXTURES", 4)
    options = ["--small", "--device", "cpu", "--minutes", "0.05", "--images", str(tmp_path), "--save-every", "0.01"]
    assert training.main([*options, "--output", str(tmp_path / "first")]) == 0
    assert batches[:2] == [2, 1]
    assert "continuing with batches of 1" in capfd.readouterr().out
    lines = [json.loads(line) for line in (tmp_path / "first" / "minutes.jsonl").read_text().splitlines()]
    assert lines[0]["step"] == 1

    state = str(tmp_path / "first" / "state.pt")
    assert training.main([*options, "--output", str(tmp_path / "second"), "--resume", state]) == 0
    more = [json.loads(line) for line in (tmp_path / "second" / "minutes.jsonl").read_text().splitlines()]
    assert more[0]["pairs"] > lines[-1]["pairs"]
    assert training.main([*options, "--output", str(tmp_path), "--resume", str(tmp_path / "a.png")]) == 2
