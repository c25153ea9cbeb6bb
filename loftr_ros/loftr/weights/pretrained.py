"""Pretrained weights: storage, sources and digests of the embedded and published checkpoints."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

LICENSE = "Apache-2.0"  # of the authors' repository with its weights, and of this package
AUTHORS_FOLDER = "https://drive.google.com/drive/folders/1xu2Pq6mZT5hmFgiYMBT9Zt8h1yO-3SIp"

_KORNIA = "https://huggingface.co/kornia/loftr/resolve/main"
_KORNIA_FORMER = "https://cmp.felk.cvut.cz/~mishkdmy/models"
_FORK = "https://raw.githubusercontent.com/MACILLAS/LoFTR/master/weights"
_DRIVE = "https://drive.google.com/uc?export=download&id="


@dataclass(frozen=True)
class EmbeddedWeights:
    """Weights inside of this package, see their model cards.

    Attributes:
        name: name for the user, equal to the preset.
        trained_on: training data and matching layer.
    """

    name: str
    trained_on: str

    @property
    def path(self) -> Path:
        """Path of the file."""
        return Path(__file__).parent / f"{self.name}.safetensors"


@dataclass(frozen=True)
class PretrainedWeights:
    """Weights that the authors of LoFTR published.

    Attributes:
        name: name for the user, equal to the preset.
        trained_on: training data and matching layer.
        file_name: file name in the authors' release.
        digests: known digests of the published file; empty if unknown.
        sources: URLs of the file, tried in this order; empty if only available from the authors' folder.
        megabytes: approximate size of the file.
    """

    name: str
    trained_on: str
    file_name: str
    digests: frozenset[str] = frozenset()
    sources: tuple[str, ...] = ()
    megabytes: int = 46

    @property
    def stored(self) -> Path:
        """Path of the fetched file."""
        return cache_folder() / f"{self.name}.ckpt"


EMBEDDED = {
    entry.name: entry
    for entry in (
        EmbeddedWeights("compact", "scenes rendered with research photos, dual-softmax"),
        EmbeddedWeights("compact16", "scenes rendered with free textures only, dual-softmax"),
    )
}

# SHA-256 as reported by users of kornia's and the authors' files; git blob names as in a fork of the authors'
# repository.
PRETRAINED = {
    entry.name: entry
    for entry in (
        PretrainedWeights(
            "outdoor",
            "MegaDepth, dual-softmax",
            "outdoor_ds.ckpt",
            frozenset(
                {
                    "sha256:21f5bec5968178e8bc8b7633441836fe5de4f47d861dd2cd7dc38e271b0479ec",
                    "git:a8c45b0ab725f933c45f001effae25f22a4574dd",
                }
            ),
            (
                f"{_KORNIA}/loftr_outdoor.ckpt",
                f"{_KORNIA_FORMER}/loftr_outdoor.ckpt",
                f"{_FORK}/outdoor_ds.ckpt",
                f"{_DRIVE}1M-VD35-qdB5Iw-AtbDBCKC7hPolFW9UY",
            ),
        ),
        PretrainedWeights(
            "indoor",
            "ScanNet, dual-softmax",
            "indoor_ds_new.ckpt",
            frozenset(
                {
                    "sha256:be9ff88b323ec27889114719f668ae41aff7034b56a4c4acbd46b8b180b87ed3",
                    "git:e7cb02c2c629d50e24ec9ecacf4981904979907b",
                }
            ),
            (
                f"{_KORNIA}/loftr_indoor_ds_new.ckpt",
                f"{_KORNIA_FORMER}/loftr_indoor_ds_new.ckpt",
                f"{_FORK}/indoor_ds_new.ckpt",
                f"{_DRIVE}19s3QvcCWQ6g-N1PrYlDCg-2mOJZ3kkgS",
            ),
        ),
        PretrainedWeights("outdoor_ot", "MegaDepth, optimal transport", "outdoor_ot.ckpt"),
        PretrainedWeights("indoor_ot", "ScanNet, optimal transport", "indoor_ot.ckpt"),
    )
}

_PRESET_OF_FILE_NAME = {
    **{entry.file_name: entry.name for entry in PRETRAINED.values()},
    **{f"{name}.ckpt": name for name in PRETRAINED},
    # kornia's names
    "loftr_outdoor.ckpt": "outdoor",
    "loftr_indoor_ds_new.ckpt": "indoor",
    # The first indoor weights, later replaced by the authors, have the configuration of the outdoor ones.
    "indoor_ds.ckpt": "outdoor",
    "loftr_indoor.ckpt": "outdoor",
}


def identify_preset(path: Path) -> str | None:
    """Return the preset of a published PyTorch file, by digest or else by file name; None if unknown."""
    found = digests(path)
    by_content = (entry.name for entry in PRETRAINED.values() if not entry.digests.isdisjoint(found))
    return next(by_content, _PRESET_OF_FILE_NAME.get(path.name))


def digests(path: Path) -> tuple[str, str]:
    """Return "sha256:..." and "git:..." of a file; the latter is the git blob name (SHA-1 of header and content)."""
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
            git.update(block)
    return f"sha256:{sha256.hexdigest()}", f"git:{git.hexdigest()}"


def record_digest(path: Path) -> str:
    """Write the SHA-256 of a file beside it, as `sha256sum` does, and return it."""
    sha256, _ = digests(path)
    _record_of(path).write_text(f"{sha256.removeprefix('sha256:')}  {path.name}\n")
    return sha256


def recorded_digest(path: Path) -> frozenset[str]:
    """Return the digest written by `record_digest`, if any."""
    record = _record_of(path)
    return frozenset(f"sha256:{word}" for word in record.read_text().split()[:1]) if record.is_file() else frozenset()


def _record_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def cache_folder() -> Path:
    """Return the cache folder: below XDG_CACHE_HOME if that is an absolute path (XDG specification), else ~/.cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "loftr_ros"
