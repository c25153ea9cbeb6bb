"""`loftr-ros weights` with a cache of its own and tiny networks in place of the published ones."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from loftr_ros.cli import main
from loftr_ros.loftr.network.config import BackboneConfig, LoFTRConfig, TransformerConfig, preset
from loftr_ros.loftr.network.model import LoFTR
from loftr_ros.loftr.weights.checkpoints import load_model, save_model
from loftr_ros.loftr.weights.pretrained import EMBEDDED, PRETRAINED, digests

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "40")
    return tmp_path / "cache" / "loftr_ros"


@pytest.fixture
def shrunk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], LoFTRConfig]:
    """Presets of the published networks, but tiny."""

    def tiny(name: str) -> LoFTRConfig:
        return replace(
            preset(name),
            backbone=BackboneConfig(stem_dim=8, block_dims=(8, 12, 16), blocks_per_stage=1, fine_dim=8),
            coarse=TransformerConfig(dim=16, heads=2, layers=("self", "cross")),
            fine=TransformerConfig(dim=8, heads=2, layers=("self", "cross")),
        )

    monkeypatch.setattr("loftr_ros.loftr.weights.checkpoints.preset", tiny)
    return tiny


@pytest.fixture
def given(tmp_path: Path, shrunk: Callable[[str], LoFTRConfig]) -> Path:
    """Random weights of the network "outdoor_ot", as the authors keep them."""
    return write(tmp_path / "given.pt", shrunk("outdoor_ot"))


def write(path: Path, config: LoFTRConfig, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    torch.save({"state_dict": {f"matcher.{key}": value for key, value in LoFTR(config).state_dict().items()}}, path)
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Address under which the folder "web" is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

    (tmp_path / "web").mkdir()
    handler = partial(Quiet, directory=str(tmp_path / "web"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def succeed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert main(["weights", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must fail with one sentence, and return it."""
    capsys.readouterr()
    assert main(["weights", *map(str, arguments)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith("loftr-ros: error: ")
    return said[0]


def test_list(capsys: pytest.CaptureFixture[str], given: Path, cache: Path) -> None:
    rows = {line.split()[0]: line for line in succeed(capsys, "list").splitlines()}
    assert rows.keys() == {"name", *EMBEDDED, *PRETRAINED}
    assert all("not fetched" in rows[name] and "46 MB" in rows[name] for name in PRETRAINED)
    succeed(capsys, "fetch", "outdoor_ot", "--from", given)
    rows = {line.split()[0]: line for line in succeed(capsys, "list").splitlines()}
    assert str(cache / "outdoor_ot.ckpt") in rows["outdoor_ot"]
    assert "not fetched" in rows["indoor_ot"]


def test_fetch_from_a_file(capsys: pytest.CaptureFixture[str], given: Path, cache: Path) -> None:
    said = succeed(capsys, "fetch", "outdoor_ot", "--from", given)
    assert said.splitlines() == [
        str(cache / "outdoor_ot.ckpt"), digests(given)[0], "use it with --checkpoint outdoor_ot"
    ]  # fmt: skip
    assert {path.name for path in cache.iterdir()} == {"outdoor_ot.ckpt", "outdoor_ot.ckpt.sha256"}
    expected = torch.load(given)["state_dict"]["matcher.backbone.conv1.weight"]
    assert torch.equal(load_model("outdoor_ot").backbone.conv1.weight, expected)
    assert "exists and is unchanged" in succeed(capsys, "fetch", "outdoor_ot")
    assert succeed(capsys, "fetch", "outdoor_ot", "--from", given) == said


def test_fetch_to_another_place(capsys: pytest.CaptureFixture[str], given: Path, cache: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "mine.pt"
    said = succeed(capsys, "fetch", "outdoor_ot", "--from", given, "--output", output)
    assert said.splitlines()[2] == f"use it with --checkpoint outdoor_ot={output}"
    assert output.read_bytes() == given.read_bytes()
    assert not (cache / "outdoor_ot.ckpt").exists()


def test_fetch_from_sources_in_order(
    capsys: pytest.CaptureFixture[str], given: Path, cache: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has nothing, the second a damaged file, the third the file with the known digest."""
    web = given.parent / "web"
    (web / "damaged.ckpt").write_bytes(given.read_bytes()[:-1])
    (web / "good.ckpt").write_bytes(given.read_bytes())
    sources = tuple(f"{server}/{name}.ckpt" for name in ("none", "damaged", "good"))
    git = frozenset(digests(given)[1:])
    monkeypatch.setitem(PRETRAINED, "outdoor_ot", replace(PRETRAINED["outdoor_ot"], sources=sources, digests=git))
    assert digests(given)[0] in succeed(capsys, "fetch", "outdoor_ot", "--no-progress")
    assert (cache / "outdoor_ot.ckpt").read_bytes() == given.read_bytes()

    (cache / "outdoor_ot.ckpt").write_bytes(b"damaged later")
    succeed(capsys, "fetch", "outdoor_ot")
    assert (cache / "outdoor_ot.ckpt").read_bytes() == given.read_bytes()


def test_no_source_has_it(
    capsys: pytest.CaptureFixture[str], given: Path, cache: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (given.parent / "web" / "other.ckpt").write_bytes(given.read_bytes())
    sources = (f"{server}/none.ckpt", f"{server}/other.ckpt")
    monkeypatch.setitem(PRETRAINED, "outdoor", replace(PRETRAINED["outdoor"], sources=sources))
    said = refusal(capsys, "fetch", "outdoor", "--no-progress")
    assert f"{sources[0]} (404 File not found), {sources[1]} (" in said
    assert f"is not the published outdoor_ds.ckpt: its digest is {digests(given)[0]}" in said
    assert "manually and import it with `loftr-ros weights fetch outdoor --from FILE`" in said
    assert list(cache.iterdir()) == []


def test_no_source_is_known(loftr_ros_program: Program) -> None:
    result = loftr_ros_program("weights", "fetch", "indoor_ot")
    assert result.returncode == 2
    assert result.stderr.startswith("loftr-ros: error: there is no direct URL of the indoor_ot weights")
    assert len(result.stderr.splitlines()) == 1
    assert "download indoor_ot.ckpt from https://drive.google.com" in result.stderr


@pytest.mark.parametrize(
    ("what", "words"),
    [("missing", "is not a file"), ("a folder", "is not a file"),
     ("another network", "does not fit the outdoor_ot network"),
     ("truncated", "damaged"), ("not finite", "values that are not finite"), ("without the bin", "bin_score")],
)  # fmt: skip
def test_bad_file_leaves_the_good_one(
    capsys: pytest.CaptureFixture[str], given: Path, cache: Path, shrunk: Callable[[str], LoFTRConfig],
    what: str, words: str,
) -> None:  # fmt: skip
    succeed(capsys, "fetch", "outdoor_ot", "--from", given)
    good = given.read_bytes()
    (cache / "outdoor_ot.ckpt.sha256").unlink()  # it would be refused by its digest alone
    bad = given.with_name("bad.ckpt")
    state = torch.load(given)
    if what == "a folder":
        bad.mkdir()
    elif what == "another network":
        torch.save({"weight": torch.zeros(3)}, bad)
    elif what == "truncated":
        bad.write_bytes(good[:-100])
    elif what == "not finite":
        state["state_dict"]["matcher.backbone.conv1.weight"][0] = float("nan")
        torch.save(state, bad)
    elif what == "without the bin":
        write(bad, shrunk("outdoor"))
    assert words in refusal(capsys, "fetch", "outdoor_ot", "--from", bad)
    assert (cache / "outdoor_ot.ckpt").read_bytes() == good
    assert {path.name for path in cache.iterdir()} == {"outdoor_ot.ckpt"}


def test_other_file_than_the_one_fetched_first(
    capsys: pytest.CaptureFixture[str], given: Path, cache: Path, shrunk: Callable[[str], LoFTRConfig]
) -> None:
    succeed(capsys, "fetch", "outdoor_ot", "--from", given)
    other = write(given.with_name("other.ckpt"), shrunk("outdoor_ot"), seed=1)
    assert "is not the outdoor_ot file fetched first" in refusal(capsys, "fetch", "outdoor_ot", "--from", other)
    assert (cache / "outdoor_ot.ckpt").read_bytes() == given.read_bytes()


def test_output_that_is_a_folder(capsys: pytest.CaptureFixture[str], given: Path, tmp_path: Path) -> None:
    assert "cannot be written" in refusal(capsys, "fetch", "outdoor_ot", "--from", given, "--output", tmp_path)


def test_info_of_a_name_that_is_not_here(capsys: pytest.CaptureFixture[str]) -> None:
    said = succeed(capsys, "info", "outdoor")
    entry = PRETRAINED["outdoor"]
    assert all(word in said for word in (*entry.digests, *entry.sources, entry.file_name, "Apache-2.0"))
    assert "loftr-ros weights fetch outdoor" in said
    assert "none: checked by a strict load" in succeed(capsys, "info", "indoor_ot")


def test_info_of_a_fetched_file(capsys: pytest.CaptureFixture[str], given: Path, cache: Path) -> None:
    succeed(capsys, "fetch", "outdoor_ot", "--from", given)
    said = succeed(capsys, "info", "outdoor_ot")
    assert all(digest in said for digest in digests(given))
    assert "yes (the authors published no digest)" in said
    assert "as in the authors' first release" in said
    assert "optimal transport" in said
    write(cache / "outdoor_ot.ckpt", load_model("outdoor_ot").config, seed=1)
    assert "no, it has changed since" in succeed(capsys, "info", "outdoor_ot")


def test_info_of_a_published_file(
    capsys: pytest.CaptureFixture[str], given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = replace(PRETRAINED["outdoor_ot"], digests=frozenset(digests(given)[1:]))
    monkeypatch.setitem(PRETRAINED, "outdoor_ot", entry)
    assert "as outdoor_ot.ckpt, by its digest" in succeed(capsys, "info", given)


def test_info_of_the_compact_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    said = succeed(capsys, "info", "compact")
    parameters = sum(parameter.numel() for parameter in LoFTR(preset("compact")).parameters())
    for words in (f"{parameters:,}", "float32", "corrected", "compact.safetensors"):
        assert words in said


def test_info_says_what_training_wrote(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    save_model(tmp_path / "own.safetensors", LoFTR(preset("compact")), {"steps": "120", "[note]": "[red]"})
    said = [line.split() for line in succeed(capsys, "info", tmp_path / "own.safetensors").splitlines()]
    assert ["steps", "120"] in said
    assert ["[note]", "[red]"] in said


def test_info_of_a_file_that_does_not_fit(
    capsys: pytest.CaptureFixture[str], given: Path, shrunk: Callable[[str], LoFTRConfig]
) -> None:
    state = torch.load(given)["state_dict"]
    state["matcher.wings"] = torch.zeros(2, 3)
    state["matcher.backbone.bn1.weight"] = torch.zeros(3)
    torch.save(state, given)
    assert main(["weights", "info", f"outdoor={given}"]) == 2
    said = capsys.readouterr()
    rows = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()}
    assert rows["wings"] == ["missing", "2", "x", "3"]
    assert rows["coarse_matching.bin_score"] == ["missing", "one", "value"]
    assert rows["backbone.bn1.weight"] == ["8", "3"]
    assert "does not fit its network, it has an unknown 'coarse_matching.bin_score' and 1 more" in said.err
