"""Memory that runs out: what each library raises then is one sentence for the user, and the results so far are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from loftr_ros import cli
from loftr_ros.memory import lacks_memory

KINDS: dict[str, Callable[[], object]] = {
    "Python": lambda: bytearray(1 << 60),
    "NumPy": lambda: np.empty(1 << 60, np.uint8),
    "OpenCV": lambda: cv2.resize(np.zeros((9, 9), np.uint8), (1 << 22, 1 << 20)),
    "PyTorch": lambda: torch.empty(1 << 50),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_library_is_understood(kind: str, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.setattr("loftr_ros.commands.report.write_page", lambda *arguments: KINDS[kind]())
    assert cli.main(["report", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("loftr-ros: error: there is too little memory: end other programs, or use smaller images")
    assert said.count("\n") == 1


def test_other_errors_are_none_of_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr("loftr_ros.commands.report.write_page", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        cli.main(["report", str(tmp_path)])
    assert not lacks_memory(OSError(28, "No space left on device"))
