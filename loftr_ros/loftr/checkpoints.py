"""Files of weights: our safetensors with the configuration inside, and the published PyTorch files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.config import LoFTRConfig, preset
from loftr_ros.loftr.model import LoFTR

EMBEDDED = Path(__file__).parent / "weights" / "compact.safetensors"


class CheckpointError(LoftrRosError):
    """A file of weights that cannot be used; the message names the file and what does not fit."""


def load_model(checkpoint: str) -> LoFTR:
    """Build the network of a checkpoint, in evaluation mode, on the CPU.

    Args:
        checkpoint: "compact" for the weights inside the package, or the path of a `.safetensors` file written by
            `save_model` or of a published PyTorch file (`.ckpt`, `.pt`, `.pth`), which is never unpickled as code.

    Raises:
        CheckpointError: the file is missing, damaged, or does not fit its network.
    """
    if checkpoint in {"outdoor", "indoor"}:
        raise CheckpointError(
            f"the published {checkpoint!r} weights are not part of this package: "
            f"download them and give the path of the file, for example --checkpoint loftr_{checkpoint}.ckpt"
        )
    path = EMBEDDED if checkpoint == "compact" else Path(checkpoint)
    if not path.is_file():
        raise CheckpointError(f"checkpoint {checkpoint!r} is neither 'compact' nor a file: give the path of a file")
    config, state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_published(path)
    model = LoFTR(config)
    _load_strictly(model, state, path)
    return model.eval()


def save_model(path: Path, model: LoFTR, metadata: dict[str, str] | None = None) -> None:
    """Write the weights and the configuration of a network as safetensors."""
    header = {**(metadata or {}), "config": json.dumps(model.config.to_dict())}
    state = {key: value.detach().contiguous().cpu() for key, value in model.state_dict().items()}
    save_file(state, path, metadata=header)
    path.chmod(0o644)  # the library makes it private to the user, and so would installing it


def _read_safetensors(path: Path) -> tuple[LoFTRConfig, dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file ({error}): copy it again") from error
    try:
        config = LoFTRConfig.from_dict(json.loads(header["config"]))
    except (KeyError, ValueError, TypeError, AttributeError, LoftrRosError) as error:
        raise CheckpointError(f"{path} has no LoFTR configuration in its header: it was not written here") from error
    return config, state


def _read_published(path: Path) -> tuple[LoFTRConfig, dict[str, Tensor]]:
    """Read the authors' or kornia's file; the position encoding that it needs is told by its name."""
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle ends in nearly any exception
        raise CheckpointError(f"{path} is damaged or holds more than plain weights: it was not loaded") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path} holds no state dict: expected the published LoFTR weights")
    name = "indoor" if "indoor_ds_new" in path.name else "outdoor"
    return preset(name), {key.removeprefix("matcher."): value for key, value in state.items()}


def _load_strictly(model: LoFTR, state: dict[str, Tensor], path: Path) -> None:
    """Load a state dict of which every key and every shape must fit."""
    expected = model.state_dict()
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    reshaped = [key for key in expected if key in state and state[key].shape != expected[key].shape]
    for what, keys in (("lacks", missing), ("has an unknown", unexpected), ("has another shape of", reshaped)):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise CheckpointError(f"{path} does not fit its network: it {what} {keys[0]!r}{more}")
    model.load_state_dict(state)
