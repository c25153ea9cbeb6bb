"""The manifest: every image that textures come from, with its package, license and checksum."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from loftr_ros.training.collection.packages import CollectionError


@dataclass(frozen=True)
class Entry:
    """One image file.

    Attributes:
        package, version: the Debian package that holds it.
        path: inside the package; `!` before the path inside an archive.
        license: as debian/copyright names it.
        share_alike: `yes` where the license asks for more than attribution, or is unknown.
        sha256: of the file.
        textures: how many are cut from it.
    """

    package: str
    version: str
    path: str
    license: str
    share_alike: str
    sha256: str
    textures: int


HEADER = [field.name for field in fields(Entry)]


def write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    """Write entries as CSV, in their order."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(astuple(entry) for entry in entries)


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """Read what `write_manifest` wrote. Raises CollectionError where it cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        if not rows or rows[0] != HEADER:
            raise CollectionError(f"manifest {path} must start with the columns {','.join(HEADER)}")
        return tuple(_entry(row) for row in rows[1:])
    except (OSError, ValueError) as error:
        raise CollectionError(f"manifest {path} cannot be read: {error}") from error


def _entry(row: list[str]) -> Entry:
    package, version, name, license_name, share_alike, sha256, textures = row
    return Entry(package, version, name, license_name, share_alike, sha256, int(textures))
