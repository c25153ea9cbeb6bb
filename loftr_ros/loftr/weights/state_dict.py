"""Reads state dicts from untrusted files: no code is unpickled, and all weights must be finite."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from loftr_ros.errors import LoftrRosError, quoted, shortened

PYTORCH_SUFFIXES = (".ckpt", ".pt", ".pth")
WEIGHT_TYPES = {torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64}

State = dict[str, Tensor]


class CheckpointError(LoftrRosError):
    """A checkpoint that cannot be used; the message names the file and the reason."""


@dataclass(frozen=True)
class Difference:
    """A key that differs between a file and a network.

    Attributes:
        key: name of the parameter or buffer.
        expected: shape in the network; None if the key is unknown there.
        found: shape in the file; None if the key is missing there.
    """

    key: str
    expected: tuple[int, ...] | None
    found: tuple[int, ...] | None

    @property
    def kind(self) -> str:
        """Kind of the difference: "missing", "unknown" or "shape"."""
        return "missing" if self.found is None else "unknown" if self.expected is None else "shape"


def read_state(path: Path) -> tuple[State, dict[str, str]]:
    """Read the weights of a file, and the metadata of a safetensors file.

    Raises:
        CheckpointError: the file does not exist, is damaged, or holds anything but finite weights.
    """
    if not path.is_file():
        what = "is a folder, not a checkpoint" if path.is_dir() else "does not exist"
        raise CheckpointError(
            f"checkpoint {str(path)!r} {what}: give 'compact', 'compact16', a published name or the path of a file"
        )
    if path.suffix == ".safetensors":
        state, header = _read_safetensors(path)
    elif path.suffix in PYTORCH_SUFFIXES:
        state, header = _read_pytorch(path), {}
    else:
        raise CheckpointError(f"{path} is not a checkpoint: those end in .safetensors, {', '.join(PYTORCH_SUFFIXES)}")
    for key, value in state.items():
        if not _is_plain(value) or not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path} is damaged: {quoted(key)} holds values that are not finite")
    return state, header


def differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[Difference]:
    """List the keys that differ between two state dicts, in the order of the network, then of the file."""
    shapes, others = ({key: tuple(value.shape) for key, value in state.items()} for state in (expected, found))
    keys = dict.fromkeys([*shapes, *others])
    return [Difference(key, shapes.get(key), others.get(key)) for key in keys if shapes.get(key) != others.get(key)]


def describe(found: list[Difference]) -> str:
    """Summarize differences for an error message: the first key of each kind and the number of further ones."""
    verbs = {"missing": "lacks", "unknown": "has an unknown", "shape": "has another shape of"}
    keys = {kind: [difference.key for difference in found if difference.kind == kind] for kind in verbs}
    more = {kind: f" and {len(of_kind) - 1} more" if len(of_kind) > 1 else "" for kind, of_kind in keys.items()}
    return ", ".join(f"{verbs[kind]} {quoted(of_kind[0])}{more[kind]}" for kind, of_kind in keys.items() if of_kind)


def _read_safetensors(path: Path) -> tuple[State, dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        reason = shortened(error)
        raise CheckpointError(f"{path} is damaged or no safetensors file ({reason}): copy it again") from error


def _read_pytorch(path: Path) -> State:
    """Read a PyTorch file: a state dict, or one under "state_dict" with "matcher." before every key."""
    try:
        # Before torch 2.6, weights_only did not protect against code in the legacy tar format.
        refused = tarfile.is_tarfile(path) or _is_compressed(path)
        content: Any = None if refused else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise nearly any exception
        raise CheckpointError(f"{path} is damaged or holds more than plain weights: it was not loaded") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise CheckpointError(f"{path} holds no state dict: expected the published LoFTR weights")
    prefix = "matcher." if all(key.startswith("matcher.") for key in state) else ""
    return {key.removeprefix(prefix): value for key, value in state.items()}


def _is_compressed(path: Path) -> bool:
    """Whether a zip archive is compressed, which torch never does: a small file could expand to any size."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor is dense, on the CPU and of a plain data type: not sparse, quantized or on the meta device.

    A view that repeats its values would need more memory than the file holds.
    """
    if value.layout is not torch.strided or value.device.type != "cpu" or value.dtype not in WEIGHT_TYPES:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()
