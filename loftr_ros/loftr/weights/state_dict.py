"""State dicts from files that nobody vouches for: only plain weights are unpickled, and all of them are numbers."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from loftr_ros.errors import LoftrRosError

PYTORCH_SUFFIXES = (".ckpt", ".pt", ".pth")
WEIGHT_TYPES = {torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64}

State = dict[str, Tensor]


class CheckpointError(LoftrRosError):
    """A file of weights that cannot be used; the message names the file and what does not fit."""


@dataclass(frozen=True)
class Difference:
    """A key of which a file and a network disagree.

    Attributes:
        key: name of the parameter or buffer.
        expected: shape in the network; None if it has no such key.
        found: shape in the file; None if it has no such key.
    """

    key: str
    expected: tuple[int, ...] | None
    found: tuple[int, ...] | None

    @property
    def kind(self) -> str:
        """What is wrong: "missing", "unknown" or "shape"."""
        return "missing" if self.found is None else "unknown" if self.expected is None else "shape"


def read_state(path: Path) -> tuple[State, dict[str, str]]:
    """Read the weights of a file, and what the header of a safetensors file says of them.

    Raises:
        CheckpointError: there is no such file, or it is damaged, or holds anything but finite weights.
    """
    if not path.is_file():
        what = "is a folder, not a file of weights" if path.is_dir() else "does not exist"
        raise CheckpointError(
            f"checkpoint {str(path)!r} {what}: give 'compact', a published name or the path of a file"
        )
    if path.suffix == ".safetensors":
        state, header = _read_safetensors(path)
    elif path.suffix in PYTORCH_SUFFIXES:
        state, header = _read_pytorch(path), {}
    else:
        raise CheckpointError(f"{path} is no file of weights: those end in .safetensors, {', '.join(PYTORCH_SUFFIXES)}")
    for key, value in state.items():
        if not _is_plain(value) or not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path} is damaged: {key!r} holds values that are no finite numbers")
    return state, header


def differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[Difference]:
    """List the keys, in the network's order and then the file's, of which two state dicts disagree."""
    shapes, others = ({key: tuple(value.shape) for key, value in state.items()} for state in (expected, found))
    keys = dict.fromkeys([*shapes, *others])
    return [Difference(key, shapes.get(key), others.get(key)) for key in keys if shapes.get(key) != others.get(key)]


def describe(found: list[Difference]) -> str:
    """Say in half a sentence what a file lacks or has too much: the first key and the number of the others."""
    verbs = {"missing": "lacks", "unknown": "has an unknown", "shape": "has another shape of"}
    keys = {kind: [difference.key for difference in found if difference.kind == kind] for kind in verbs}
    more = {kind: f" and {len(of_kind) - 1} more" if len(of_kind) > 1 else "" for kind, of_kind in keys.items()}
    return ", ".join(f"{verbs[kind]} {of_kind[0]!r}{more[kind]}" for kind, of_kind in keys.items() if of_kind)


def _read_safetensors(path: Path) -> tuple[State, dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file ({error}): copy it again") from error


def _read_pytorch(path: Path) -> State:
    """Read a PyTorch file: a state dict, or one under "state_dict" with "matcher." before every key."""
    try:
        # Before torch 2.6 even weights_only unpickled whatever was in a file of its first format, a tar archive.
        content: Any = None if tarfile.is_tarfile(path) else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle ends in nearly any exception
        raise CheckpointError(f"{path} is damaged or holds more than plain weights: it was not loaded") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise CheckpointError(f"{path} holds no state dict: expected the published LoFTR weights")
    prefix = "matcher." if all(key.startswith("matcher.") for key in state) else ""
    return {key.removeprefix(prefix): value for key, value in state.items()}


def _is_plain(value: Tensor) -> bool:
    """Tell whether a tensor has values of its own: none that is sparse, quantised or without storage."""
    return value.layout is torch.strided and value.device.type == "cpu" and value.dtype in WEIGHT_TYPES
