"""What a run writes down."""

import json
import math
import sys
from pathlib import Path

import pytest

from loftr_ros.training.log import RunLog


def test_lines_are_valid_json(tmp_path: Path) -> None:
    for step, error in ((10, 0.5), (20, math.nan), (30, math.inf)):
        log = RunLog(tmp_path, 0)
        log.validation({"step": step, "error": error})
        log.close()

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    read = [json.loads(line, parse_constant=refuse) for line in lines]
    assert read == [{"step": 10, "error": 0.5}, {"step": 20, "error": None}, {"step": 30, "error": None}]


def test_curves(tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
    )
    log = RunLog(tmp_path, 0)
    for step in range(1, 31):
        log.step({"step": step, "coarse_loss": 1 / step})
    log.validation({"step": 30, "recall": 0.25})
    log.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["training/coarse_loss", "validation/recall"]
    curve = [(event.step, event.value) for event in events.Scalars("training/coarse_loss")]
    assert curve == [(step, pytest.approx(1 / step)) for step in (10, 20, 30)]
    assert events.Scalars("validation/recall")[0].value == 0.25


def test_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    log = RunLog(tmp_path, 0)
    log.step({"step": 10, "coarse_loss": 1.0})
    log.validation({"step": 10, "recall": 0.5})
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
    assert [record.getMessage().count("pip install 'loftr_ros[train]'") for record in caplog.records] == [1]
