"""Files of weights: what comes back, and what a bad file says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from loftr_ros.loftr.checkpoints import CheckpointError, load_model, save_model
from loftr_ros.loftr.config import LoFTRConfig, preset
from loftr_ros.loftr.model import LoFTR

Damage = Callable[[bytes], bytes]


def refusal(path: Path) -> str:
    """Load a file that must be refused: one sentence, which is returned, and the file stays as it is."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(CheckpointError) as caught:
        load_model(str(path))
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    return str(caught.value)


@pytest.fixture
def written(tiny_model: LoFTR, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_model(path, tiny_model, {"steps": "12"})
    return path


def rewrite(path: Path, change: Callable[[dict[str, torch.Tensor]], object], **metadata: str) -> None:
    """Change the tensors, or the metadata, of a file."""
    with safe_open(path, framework="pt") as file:
        header = {**file.metadata(), **metadata}
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    change(state)
    save_file(state, path, metadata=header)


def test_round_trip(tiny_model: LoFTR, tiny_config: LoFTRConfig, written: Path) -> None:
    loaded = load_model(str(written))
    assert loaded.config == tiny_config
    assert not loaded.training
    state = loaded.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in tiny_model.state_dict().items())
    with safe_open(written, framework="pt") as file:
        assert file.metadata()["steps"] == "12"


@pytest.mark.parametrize(
    "damage",
    [lambda b: b"", lambda b: b[:5], lambda b: b[:-1], lambda b: b[: len(b) // 2], lambda b: b"\xff" * 64 + b[64:]],
    ids=["empty", "five bytes", "one byte short", "half", "overwritten"],
)
def test_damaged_safetensors(written: Path, damage: Damage) -> None:
    written.write_bytes(damage(written.read_bytes()))
    assert "damaged" in refusal(written)


def test_missing_key(written: Path) -> None:
    rewrite(written, lambda state: state.pop("backbone.conv1.weight"))
    assert "lacks 'backbone.conv1.weight'" in refusal(written)


def test_unknown_key(written: Path) -> None:
    rewrite(written, lambda state: state.update(wings=torch.zeros(1)))
    assert "unknown 'wings'" in refusal(written)


def test_wrong_shape(written: Path) -> None:
    rewrite(written, lambda state: state.update({"backbone.bn1.weight": torch.zeros(3)}))
    assert "shape of 'backbone.bn1.weight'" in refusal(written)


@pytest.mark.parametrize(
    "config",
    ["", "{", "[]", "3", "null", '"a"', '{"coarse": null}', '{"wings": 2}', '{"coarse": {"heads": 0}}',
     '{"coarse": {"heads": "4"}}', '{"backbone": {"block_dims": [1, 2]}}', '{"backbone": {"stem_dim": "a"}}',
     '{"backbone": {"stem_dim": -1}}', '{"fine_window": "5"}'],
)  # fmt: skip
def test_configuration_that_is_none(written: Path, config: str) -> None:
    rewrite(written, lambda state: None, config=config)
    assert "configuration" in refusal(written)


def test_safetensors_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    assert "configuration" in refusal(path)


class Mischief:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.folder,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, zipped: bool) -> None:
    path, trace = tmp_path / "outdoor.ckpt", tmp_path / "trace"
    torch.save({"state_dict": {}, "extra": Mischief(trace)}, path, _use_new_zipfile_serialization=zipped)
    assert "more than plain weights" in refusal(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)  # it would have worked
    assert trace.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("keep", [0, 1, 100, 1000, -1])
def test_truncated_pytorch_file(tmp_path: Path, zipped: bool, keep: int) -> None:
    path = tmp_path / "outdoor.ckpt"
    torch.save({"state_dict": {"a": torch.zeros(2000)}}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:keep])
    refusal(path)


@pytest.mark.parametrize(
    "content", [b"nothing of use", b"\x80\x02.", b"0.", b"h)0.", b"\x80\x02]q\x00h\x05.", b"PK\x03\x04" + bytes(60)]
)
def test_nonsense_in_a_pytorch_file(tmp_path: Path, content: bytes) -> None:
    """Streams that stop the unpickler in different ways: an empty stack, an unknown memo, half a number."""
    path = tmp_path / "outdoor.pt"
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize("content", [3, [1, 2], {"state_dict": 3}, {"epoch": 3}, torch.zeros(3)])
def test_pytorch_file_without_state_dict(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "outdoor.pth")
    assert "state dict" in refusal(tmp_path / "outdoor.pth")


def test_pytorch_file_of_another_network(tiny_model: LoFTR, tmp_path: Path) -> None:
    torch.save(tiny_model.state_dict(), tmp_path / "outdoor.ckpt")
    assert "does not fit" in refusal(tmp_path / "outdoor.ckpt")


@pytest.mark.parametrize("name", ["nothing.safetensors", "nothing.ckpt"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    assert "neither 'compact' nor a file" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["outdoor", "indoor"])
def test_published_weights_are_asked_for_by_path(name: str) -> None:
    with pytest.raises(CheckpointError, match=f"--checkpoint loftr_{name}.ckpt"):
        load_model(name)


def test_header_holds_the_configuration(tmp_path: Path) -> None:
    save_model(tmp_path / "compact.safetensors", LoFTR(preset("compact")))
    with safe_open(tmp_path / "compact.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["config"])["coarse"]["dim"] == 64
