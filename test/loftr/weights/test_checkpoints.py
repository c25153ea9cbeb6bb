"""Checkpoints: what comes back, which network it is for, and what a bad file says."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from loftr_ros.loftr.network.config import LoFTRConfig, preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.weights import pretrained
from loftr_ros.loftr.weights.checkpoints import load_model, read_checkpoint, save_model
from loftr_ros.loftr.weights.state_dict import CheckpointError, Difference

Damage = Callable[[bytes], bytes]


def refusal(path: Path) -> str:
    """Load a file that must be rejected without changing it; return the one-sentence message."""
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


def test_long_text_in_a_damaged_header(written: Path) -> None:
    """The library quotes it whole."""
    content = written.read_bytes()
    header = content[8 : 8 + int.from_bytes(content[:8], "little")].replace(b'"F32"', b'"' + b"F" * 5000 + b'"', 1)
    written.write_bytes(len(header).to_bytes(8, "little") + header)
    message = refusal(written)
    assert "unknown variant" in message
    assert len(message) < 500


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
     '{"backbone": {"stem_dim": -1}}', '{"fine_window": "5"}', "[" * 5000,
     f'{{"backbone": {{"stem_dim": {10**30}}}}}'],
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


@pytest.mark.parametrize("name", ["nothing.safetensors", "nothing.ckpt", "nothing"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    assert "does not exist: give 'compact', 'compact16', a published name or the path" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["folder", "folder.ckpt", "folder.safetensors"])
def test_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert "is a folder" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["weights", "weights.zip", "weights.onnx"])
def test_other_suffix(tiny_model: LoFTR, tmp_path: Path, name: str) -> None:
    torch.save(tiny_model.state_dict(), tmp_path / name)
    assert "end in .safetensors, .ckpt, .pt, .pth" in refusal(tmp_path / name)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_values_that_are_no_numbers(tiny_model: LoFTR, tmp_path: Path, bad: float, suffix: str) -> None:
    path = tmp_path / f"outdoor{suffix}"
    state = tiny_model.state_dict()
    state["backbone.bn1.weight"][3] = bad
    save_model(path, tiny_model) if suffix == ".safetensors" else torch.save(state, path)
    assert "'backbone.bn1.weight' holds values that are not finite" in refusal(path)


@pytest.mark.parametrize(
    "value",
    [torch.ones(3).to_sparse(), torch.ones(3).cfloat(), torch.ones(3, device="meta"), torch.ones(1).expand(10**12)],
    ids=["sparse", "complex", "without storage", "one value repeated"],
)
def test_tensors_of_other_kinds(tmp_path: Path, value: torch.Tensor) -> None:
    torch.save({"state_dict": {"matcher.a": value}}, tmp_path / "outdoor.ckpt")
    assert "'a' holds values that are not finite" in refusal(tmp_path / "outdoor.ckpt")


def test_tar_archive_is_not_unpickled(tmp_path: Path) -> None:
    """The first format of torch.save, which torch before 2.6 unpickles in full."""
    with tarfile.open(tmp_path / "outdoor.ckpt", "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert "no state dict" in refusal(tmp_path / "outdoor.ckpt")


def test_compressed_file_is_not_expanded(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain.pt", tmp_path / "outdoor.ckpt"
    torch.save({"a": torch.zeros(100_000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert path.stat().st_size < 10_000
    assert "no state dict" in refusal(path)


def test_keys_that_are_no_names(tmp_path: Path) -> None:
    torch.save({"state_dict": {1: torch.zeros(3)}}, tmp_path / "outdoor.ckpt")
    assert "no state dict" in refusal(tmp_path / "outdoor.ckpt")


def test_prefix_of_some_keys_only(tiny_published: LoFTR, tmp_path: Path) -> None:
    state = tiny_published.state_dict()
    state["matcher.backbone.conv1.weight"] = state["backbone.conv1.weight"]
    torch.save(state, tmp_path / "outdoor.ckpt")
    assert "has an unknown 'matcher.backbone.conv1.weight'" in refusal(tmp_path / "outdoor.ckpt")


def test_every_difference(written: Path, tiny_model: LoFTR) -> None:
    def change(state: dict[str, torch.Tensor]) -> None:
        state.update({"wings": torch.zeros(2, 3), "backbone.bn1.weight": torch.zeros(3)})
        del state["backbone.conv1.weight"], state["backbone.bn1.num_batches_tracked"]

    rewrite(written, change)
    shape = tuple(tiny_model.state_dict()["backbone.conv1.weight"].shape)
    assert read_checkpoint(str(written)).differences() == [
        Difference("backbone.conv1.weight", shape, None),
        Difference("backbone.bn1.weight", (8,), (3,)),
        Difference("backbone.bn1.num_batches_tracked", (), None),
        Difference("wings", None, (2, 3)),
    ]
    said = refusal(written)
    assert "lacks 'backbone.conv1.weight' and 1 more, has an unknown 'wings', has another shape of" in said
    assert f"`loftr-ros weights info {written}`" in said


@pytest.fixture
def tiny_published(tiny_model: LoFTR, monkeypatch: pytest.MonkeyPatch) -> LoFTR:
    """Let the published networks be tiny, so that only what distinguishes their presets is left of them."""
    small = ("backbone", "coarse", "fine")

    def shrunk(name: str) -> LoFTRConfig:
        return replace(preset(name), **{part: getattr(tiny_model.config, part) for part in small})

    monkeypatch.setattr("loftr_ros.loftr.weights.checkpoints.preset", shrunk)
    return tiny_model


@pytest.mark.parametrize(
    ("name", "legacy"),
    [("loftr_outdoor.ckpt", True), ("outdoor_ds.ckpt", True), ("outdoor.ckpt", True), ("loftr_indoor.ckpt", True),
     ("indoor_ds.ckpt", True), ("loftr_indoor_ds_new.ckpt", False), ("indoor_ds_new.ckpt", False)],
)  # fmt: skip
def test_position_encoding_is_known_from_the_name(
    tiny_published: LoFTR, tmp_path: Path, name: str, legacy: bool
) -> None:
    torch.save(tiny_published.state_dict(), tmp_path / name)
    assert load_model(str(tmp_path / name)).config.legacy_position_encoding == legacy


def test_position_encoding_is_known_from_the_content(
    tiny_published: LoFTR, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outdoor.ckpt"  # a misleading name
    torch.save(tiny_published.state_dict(), path)
    for digest in pretrained.digests(path):
        entry = replace(pretrained.PRETRAINED["indoor"], digests=frozenset({digest}))
        monkeypatch.setitem(pretrained.PRETRAINED, "indoor", entry)
        assert not load_model(str(path)).config.legacy_position_encoding


@pytest.mark.parametrize(("name", "legacy"), [("outdoor", True), ("indoor", False)])
def test_position_encoding_is_said_by_the_user(tiny_published: LoFTR, tmp_path: Path, name: str, legacy: bool) -> None:
    path = tmp_path / "my=weights.pt"
    torch.save(tiny_published.state_dict(), path)
    assert load_model(f"{name}={path}").config.legacy_position_encoding == legacy
    assert f"one of outdoor={path}, indoor={path}" in refusal(path)


@pytest.mark.parametrize("name", ["outdoor", "indoor", "outdoor_ot", "indoor_ot"])
def test_published_weights_come_from_the_cache(
    tiny_model: LoFTR, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loftr_ros.loftr.weights.checkpoints.preset", lambda name: tiny_model.config)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match=rf"run `loftr-ros weights fetch {name}`, or pass .* {name}=FILE"):
        load_model(name)
    (tmp_path / "loftr_ros").mkdir()
    torch.save(tiny_model.state_dict(), tmp_path / "loftr_ros" / f"{name}.ckpt")
    assert torch.equal(load_model(name).backbone.conv1.weight, tiny_model.backbone.conv1.weight)


@pytest.mark.parametrize(("name", "prefix"), [("outdoor", ""), ("outdoor_ot", "matcher.")])
def test_published_size(tmp_path: Path, name: str, prefix: str) -> None:
    """As kornia names the keys, and as the authors do; optimal transport has one more."""
    path = tmp_path / f"{name}.ckpt"
    expected = LoFTR(preset(name)).state_dict()
    torch.save({"state_dict": {f"{prefix}{key}": value for key, value in expected.items()}}, path)
    assert ("coarse_matching.bin_score" in expected) == (name == "outdoor_ot")
    state = load_model(str(path)).state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(value, state[key]) for key, value in expected.items())


def test_header_holds_the_configuration(tmp_path: Path) -> None:
    save_model(tmp_path / "compact.safetensors", LoFTR(preset("compact")))
    with safe_open(tmp_path / "compact.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["config"])["coarse"]["dim"] == 64
