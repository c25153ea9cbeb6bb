"""Names, digests and places of checkpoints."""

from pathlib import Path

import pytest

from loftr_ros.loftr.network.config import preset
from loftr_ros.loftr.weights.pretrained import PRETRAINED, cache_folder, digests, record_digest, recorded_digest

SHA256 = "c22f0e0ce4febdf1948db894092075a61d94758e41403bb3f865bcef0bdbc3f7"  # of "loftr"


def test_digests(tmp_path: Path) -> None:
    """What `sha256sum` and `git hash-object` say."""
    path = tmp_path / "some.ckpt"
    path.write_bytes(b"loftr")
    assert digests(path) == (f"sha256:{SHA256}", "git:8fe5c8f4c6861fec3a2a3155a2c336b8db3e4a06")


def test_recorded_digest(tmp_path: Path) -> None:
    path = tmp_path / "some.ckpt"
    path.write_bytes(b"loftr")
    assert recorded_digest(path) == frozenset()
    assert record_digest(path) == f"sha256:{SHA256}"
    assert recorded_digest(path) == {f"sha256:{SHA256}"}
    assert (tmp_path / "some.ckpt.sha256").read_text() == f"{SHA256}  some.ckpt\n"  # as sha256sum -c reads it


@pytest.mark.parametrize("value", [None, "", "relative/path"])
def test_cache_without_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_folder() == tmp_path / ".cache" / "loftr_ros"


def test_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert PRETRAINED["outdoor"].stored == tmp_path / "loftr_ros" / "outdoor.ckpt"


def test_every_name_has_a_preset_and_no_digest_has_two_names() -> None:
    assert all(preset(name) for name in PRETRAINED)
    known = [digest for entry in PRETRAINED.values() for digest in entry.digests]
    assert len(known) == len(set(known)) > 0
    assert all(len(digest) == {"sha256": 71, "git": 44}[digest.partition(":")[0]] for digest in known)
