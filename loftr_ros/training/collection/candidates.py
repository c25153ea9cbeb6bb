"""Image files of an unpacked package, also those inside its zip archives."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

SUFFIXES = {".jpg", ".jpeg", ".png", ".tga", ".webp", ".dds", ".rgb", ".pat"}
ARCHIVES = {".zip", ".pk3"}
# Parts of names that tell of something other than the look of a surface.
UNSUITABLE = re.compile(
    r"normal|bump|specular|mask|alpha|icon|sprite|font|cursor|logo|shadow|lightmap|skybox|particle|splash|screenshot|"
    r"minimap|colorization|gfx|flare|smoke|fire|explo|decal|preview|banner|raceline|kart|map\.|"
    r"[_-](nm|nmm|nrm|norm|local|spec|gloss|glow|luma|lum|pants|shirt|ao|height|heightmap|disp|add|blend)\W|"
    r"(^|/)(gui|ui|ao)/|(^|/)(sky|env|background)[^/]*$",
)


@dataclass(frozen=True)
class Candidate:
    """An image file.

    Attributes:
        path: inside the package; `!` before the path inside an archive.
        read: gives the bytes.
    """

    path: str
    read: Callable[[], bytes]


def candidates(folder: Path, files: str) -> Iterator[Candidate]:
    """Find the image files whose paths match a regular expression, in the order of their paths."""
    wanted = re.compile(files)
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in ARCHIVES:
            yield from _in_archive(path, name, wanted)
        elif _is_wanted(name, wanted):
            yield Candidate(name, path.read_bytes)


def _in_archive(path: Path, name: str, wanted: re.Pattern[str]) -> Iterator[Candidate]:
    archive = zipfile.ZipFile(path)  # open for as long as there are candidates that read from it
    for member in sorted(archive.namelist()):
        full = f"{name}!{member}"
        if _is_wanted(full, wanted):
            yield Candidate(full, partial(archive.read, member))


def _is_wanted(name: str, wanted: re.Pattern[str]) -> bool:
    lower = name.lower().removesuffix(".cached.dds")
    inside = lower.split("!")[-1]
    tail = "/".join(inside.split("/")[-2:])  # the folders above say nothing of the file
    kind = Path(lower).suffix if lower == name.lower() else ".dds"
    return kind in SUFFIXES and wanted.search(lower) is not None and UNSUITABLE.search(tail) is None
