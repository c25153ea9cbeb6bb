"""Training state file, from which a run is resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from loftr_ros.errors import LoftrRosError, shortened
from loftr_ros.training.config import TrainingConfig


class ResumeError(LoftrRosError):
    """A training state that cannot be resumed."""


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file atomically, so that a crash keeps the old one."""
    partial = path.with_name(path.name + ".partial")
    write(partial)
    partial.replace(path)


def read_state(path: Path, config: TrainingConfig, device: torch.device) -> dict[str, Any]:
    """Read a state without executing pickled code.

    Raises:
        ResumeError: the file is damaged or has another preset than `config`.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        saved_preset = state["config"]["preset"]
    except Exception as error:  # a damaged pickle may raise nearly any exception
        raise ResumeError(f"cannot continue from {path}: it is missing or damaged") from error
    if saved_preset != config.preset:
        raise ResumeError(
            f"cannot continue from {path}: its preset is {shortened(repr(saved_preset), 60)}, but the "
            f"configuration has {config.preset!r}"
        )
    return state


def changes(saved: dict[str, Any], config: TrainingConfig) -> list[str]:
    """List the settings that differ from those of the saved run."""
    return [
        f"{name} was {saved[name]!r}, now {value!r}"
        for name, value in config.to_dict().items()
        if name in saved and saved[name] != value
    ]
