"""Collect textures: all suitable images of the packages, or exactly those that a manifest names."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from loftr_ros.training.collection.candidates import Candidate, candidates
from loftr_ros.training.collection.licenses import Stanza, is_permissive, license_of, read_stanzas
from loftr_ros.training.collection.manifest import Entry, write_manifest
from loftr_ros.training.collection.packages import Package, download, unpack, version_of
from loftr_ros.training.collection.squares import Seen, decode, squares

QUALITY = 92  # of the JPEG files
MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class Request:
    """What is collected.

    Attributes:
        packages: where from.
        scratch: folder for packages and their files; existing files are reused.
        output: folder for the textures and their manifest.
        permissive_only: leave out share-alike and copyleft images.
        manifest: take exactly these images, or all suitable ones where it is None.
    """

    packages: tuple[Package, ...]
    scratch: Path
    output: Path
    permissive_only: bool = False
    manifest: tuple[Entry, ...] | None = None


@dataclass
class _Collected:
    entries: list[Entry] = field(default_factory=list)
    missing: list[Entry] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)


def collect(request: Request, report: Callable[[str], None]) -> tuple[list[Entry], list[Entry]]:
    """Write textures and manifest; returns the entries, and those of the given manifest that are not to be had.

    Raises:
        CollectionError: a package cannot be fetched or unpacked.
    """
    request.scratch.mkdir(parents=True, exist_ok=True)
    request.output.mkdir(parents=True, exist_ok=True)
    collected = _Collected()
    for package in request.packages:
        listed = [entry for entry in request.manifest or () if entry.package == package.name]
        if request.permissive_only:
            listed = [entry for entry in listed if entry.share_alike == "no"]
        if request.manifest is not None and not listed:
            continue
        _collect_package(package, request, listed, collected)
        textures = sum(entry.textures for entry in collected.entries if entry.package == package.name)
        report(f"{package.name}: {textures} textures")
    write_manifest(request.output / MANIFEST, collected.entries)
    return collected.entries, collected.missing


def _collect_package(package: Package, request: Request, listed: list[Entry], collected: _Collected) -> None:
    deb = download(package.name, listed[0].version if listed else None, request.scratch)
    folder = request.scratch / package.name
    unpack(deb, folder)
    version, stanzas = version_of(deb), _stanzas(folder, package.name)
    found: Iterable[Candidate] = candidates(folder, package.files)
    if request.manifest is None:
        found = _spread(list(found), package.name)
    paths = {entry.path: entry for entry in listed}
    used = 0
    for candidate in found:
        if used >= package.most:
            break
        license_name = package.license or license_of(stanzas, candidate.path) or "unknown"
        permissive = is_permissive(license_name)
        known = paths.get(candidate.path)
        if (request.manifest is not None and known is None) or (request.permissive_only and not permissive):
            continue
        data = candidate.read()
        digest = hashlib.sha256(data).hexdigest()
        if known is not None and known.sha256 != digest:
            continue
        textures = _write(data, digest, package.name, request.output, collected.seen)
        if textures:
            used += 1
            paths.pop(candidate.path, None)
            share_alike = "no" if permissive else "yes"
            collected.entries.append(
                Entry(package.name, version, candidate.path, license_name, share_alike, digest, textures)
            )
    collected.missing += paths.values()


def _spread(found: Sequence[Candidate], name: str) -> list[Candidate]:
    """The files in an order that is random but always the same, so that a limit takes some of every folder."""
    mixed = sorted(found, key=lambda candidate: candidate.path)
    random.Random(name).shuffle(mixed)
    return mixed


def _stanzas(folder: Path, name: str) -> tuple[Stanza, ...]:
    path = folder / "usr/share/doc" / name / "copyright"
    return read_stanzas(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ()


def _write(data: bytes, digest: str, package: str, output: Path, seen: Seen) -> int:
    image = decode(data)
    if image is None:
        return 0
    fresh = [square for square in squares(image) if seen.add(square)]
    for number, square in enumerate(fresh):
        Image.fromarray(square).save(output / f"{package}_{digest[:12]}_{number}.jpg", quality=QUALITY)
    return len(fresh)
