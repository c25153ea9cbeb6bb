"""From a checkpoint, by name or by file, to the network that it fits."""

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
from loftr_ros.loftr.weights.pretrained import EMBEDDED, PUBLISHED, recognise
from loftr_ros.loftr.weights.state_dict import (
    PYTORCH_SUFFIXES,
    CheckpointError,
    Difference,
    describe,
    differences,
    read_state,
)


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file of weights, which need not fit.

    Attributes:
        path: of the file.
        config: of the network that the weights are meant for.
        state: the weights, by the authors' names.
        header: what else a safetensors file says of itself.
    """

    path: Path
    config: LoFTRConfig
    state: dict[str, Tensor]
    header: dict[str, str] = field(default_factory=dict)

    def differences(self) -> list[Difference]:
        """List every key that the file and the network do not have in common, or not in one shape."""
        return differences(self.network().state_dict(), self.state)

    def network(self) -> LoFTR:
        """Build the network without values, as the header of a file may claim one of any size.

        Raises:
            CheckpointError: not even that can be done.
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
    """Find and read a checkpoint. Published weights do not say which network they want, and the wrong position encoding
    would only show as bad matches: so it is known from the name or the content of the file, or the user says it.

    Args:
        checkpoint: one of
            "compact", the weights inside the package;
            "outdoor", "indoor", "outdoor_ot", "indoor_ot", published weights that `loftr-ros weights fetch` has stored;
            FILE, a `.safetensors` file written by `save_model`, or a published PyTorch file (`.ckpt`, `.pt`, `.pth`)
            with its well-known content or name, which is never unpickled as code;
            PRESET=FILE, such as "outdoor=my.ckpt", any other file for a published network.

    Raises:
        CheckpointError: the file is missing or damaged, or nothing tells its network.
    """
    path, name = _locate(checkpoint)
    state, header = read_state(path)
    if name is None and path.suffix in PYTORCH_SUFFIXES:
        name = recognise(path)
        if name is None:
            ways = ", ".join(f"{known}={path}" for known in PUBLISHED)
            raise CheckpointError(f"{path} does not tell which network it is for: say so with one of {ways}")
    return Checkpoint(path, preset(name) if name else _config_in(header, path), state, header)


def save_model(path: Path, model: LoFTR, metadata: dict[str, str] | None = None) -> None:
    """Write the weights and the configuration of a network as safetensors."""
    header = {**(metadata or {}), "config": json.dumps(model.config.to_dict())}
    state = {key: value.detach().contiguous().cpu() for key, value in model.state_dict().items()}
    save_file(state, path, metadata=header)
    path.chmod(0o644)  # the library makes it private to the user, and so would installing it


def _locate(checkpoint: str) -> tuple[Path, str | None]:
    """Path of the file, and the preset if it was named."""
    if checkpoint == "compact":
        return EMBEDDED, None
    if checkpoint in PUBLISHED:
        path = PUBLISHED[checkpoint].stored
        if not path.is_file():
            raise CheckpointError(
                f"the published {checkpoint!r} weights are not here: run `loftr-ros weights fetch {checkpoint}`, "
                f"or give a file that you have as {checkpoint}=FILE"
            )
        return path, checkpoint
    name, _, file = checkpoint.partition("=")
    return (Path(file).expanduser(), name) if file and name in PUBLISHED else (Path(checkpoint).expanduser(), None)


def _config_in(header: dict[str, str], path: Path) -> LoFTRConfig:
    try:
        return LoFTRConfig.from_dict(json.loads(header["config"]))
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, LoftrRosError) as error:
        raise CheckpointError(f"{path} has no LoFTR configuration in its header: it was not written here") from error
