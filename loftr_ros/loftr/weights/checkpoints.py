"""Checkpoints: from a name or file to a network, and back to a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from loftr_ros.errors import LoftrRosError
from loftr_ros.loftr.network.config import LoFTRConfig, preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.weights.pretrained import EMBEDDED, PRETRAINED, identify_preset
from loftr_ros.loftr.weights.state_dict import (
    PYTORCH_SUFFIXES,
    CheckpointError,
    Difference,
    describe,
    differences,
    read_state,
)
from loftr_ros.validation import user_path


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint file; the weights may not fit the network.

    Attributes:
        path: path of the file.
        config: configuration of the network.
        state: weights, named as in the authors' release.
        header: metadata of a safetensors file.
    """

    path: Path
    config: LoFTRConfig
    state: dict[str, Tensor]
    header: dict[str, str] = field(default_factory=dict)

    def differences(self) -> list[Difference]:
        """List all keys that are missing, unknown or of another shape."""
        return differences(self.network().state_dict(), self.state)

    def network(self) -> LoFTR:
        """Build the network on the meta device, as the header of a file may claim any size.

        Raises:
            CheckpointError: the configuration cannot be built.
        """
        try:
            with torch.device("meta"):
                return LoFTR(self.config)
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise CheckpointError(f"{self.path} has a configuration in its header that cannot be built") from error


def load_model(checkpoint: str) -> LoFTR:
    """Build the network of a checkpoint, in evaluation mode, on the CPU.

    Args:
        checkpoint: see `read_checkpoint`.

    Raises:
        CheckpointError: the file is missing, damaged, or does not fit its network.
    """
    found = read_checkpoint(checkpoint)
    if different := found.differences():
        advice = f"`loftr-ros weights info {checkpoint}` lists every key"
        raise CheckpointError(f"{found.path} does not fit its network, it {describe(different)}: {advice}")
    model = LoFTR(found.config)
    model.load_state_dict(found.state)
    return model.eval()


def read_checkpoint(checkpoint: str) -> Checkpoint:
    """Find and read a checkpoint.

    Published files do not contain their configuration, and a wrong position encoding would only show as bad matches.
    The preset is therefore identified by digest or file name, or given by the user.

    Args:
        checkpoint: one of
            "compact", "compact16", the embedded weights;
            "outdoor", "indoor", "outdoor_ot", "indoor_ot", published weights stored by `loftr-ros weights fetch`;
            FILE, a `.safetensors` file written by `save_model`, or a published PyTorch file (`.ckpt`, `.pt`, `.pth`)
            identified by digest or name and read without executing pickled code;
            PRESET=FILE, such as "outdoor=my.ckpt", any other file for a published architecture.

    Raises:
        CheckpointError: the file is missing or damaged, or its preset is unknown.
    """
    path, name = _locate(checkpoint)
    state, header = read_state(path)
    if name is None and path.suffix in PYTORCH_SUFFIXES:
        name = identify_preset(path)
        if name is None:
            ways = ", ".join(f"{known}={path}" for known in PRETRAINED)
            raise CheckpointError(f"{path} does not contain its preset: name it with one of {ways}")
    return Checkpoint(path, preset(name) if name else _config_in(header, path), state, header)


def save_model(path: Path, model: LoFTR, metadata: dict[str, str] | None = None) -> None:
    """Write the weights and the configuration of a network as safetensors."""
    header = {**(metadata or {}), "config": json.dumps(model.config.to_dict())}
    state = {key: value.detach().contiguous().cpu() for key, value in model.state_dict().items()}
    save_file(state, path, metadata=header)
    path.chmod(0o644)  # the library makes it readable for the user only, which an installation would keep


def _locate(checkpoint: str) -> tuple[Path, str | None]:
    """Path of the file, and the preset if given."""
    if checkpoint in EMBEDDED:
        return EMBEDDED[checkpoint].path, None
    if checkpoint in PRETRAINED:
        path = PRETRAINED[checkpoint].stored
        if not path.is_file():
            raise CheckpointError(
                f"the published {checkpoint!r} weights are not in the cache: run "
                f"`loftr-ros weights fetch {checkpoint}`, or pass a file as {checkpoint}=FILE"
            )
        return path, checkpoint
    name, _, file = checkpoint.partition("=")
    file, preset_name = (file, name) if file and name in PRETRAINED else (checkpoint, None)
    return user_path(CheckpointError, "checkpoint", file), preset_name


def _config_in(header: dict[str, str], path: Path) -> LoFTRConfig:
    try:
        return LoFTRConfig.from_dict(json.loads(header["config"]))
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, LoftrRosError) as error:
        raise CheckpointError(
            f"{path} has no LoFTR configuration in its header: it was not written by loftr_ros"
        ) from error
