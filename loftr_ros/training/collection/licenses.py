"""The license of each file of a Debian package, from its debian/copyright."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from pathlib import PurePosixPath

# Licenses that ask for no more than attribution. All others, and whatever is unknown, count as share-alike.
PERMISSIVE = re.compile(
    r"(cc0|cc-by-[\d.]+|public-domain|pd|expat|mit|bsd|apache|zlib|isc|unlicense|wtfpl|permissive|artistic)"
    r"(-[\w.+-]*|\+)?",
    re.IGNORECASE,
)
FEWEST_PARTS = 2  # of a path that is compared: `textures/*` says something, `*` says nothing


@dataclass(frozen=True)
class Stanza:
    """Files of a source package and their license."""

    patterns: tuple[str, ...]
    license: str


def read_stanzas(copyright_text: str) -> tuple[Stanza, ...]:
    """Read a machine-readable debian/copyright (DEP 5); empty where it is not one."""
    if not copyright_text.lstrip().startswith("Format"):
        return ()
    stanzas = []
    for paragraph in re.split(r"\n[ \t]*\n", copyright_text):
        fields = _fields(paragraph)
        if "files" in fields and "license" in fields:
            stanzas.append(Stanza(tuple(fields["files"].split()), fields["license"].split("\n")[0].strip()))
    return tuple(stanzas)


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line[:1].isspace() and name:
            fields[name] += "\n" + line.strip()
        elif ":" in line and not line.startswith("#"):
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def license_of(stanzas: tuple[Stanza, ...], path: str) -> str:
    """License of an installed file; the last stanza that matches counts, as DEP 5 has it. Empty if none does.

    Installed files are elsewhere than in the source package, so paths are compared by how they end: the longest
    pattern that fits is taken to be the file's own.
    """
    best, length = "", -1
    for stanza in stanzas:
        fits = max((_fitting_parts(pattern, path) for pattern in stanza.patterns), default=-1)
        if fits >= length and fits >= 0:
            best, length = stanza.license, fits
    return best


def _fitting_parts(pattern: str, path: str) -> int:
    """How many parts of the pattern match some end of the path; 0 for `*`, -1 where it does not fit."""
    file = path.replace("!", "/")
    return next((parts for expression, parts in _expressions(pattern) if expression.fullmatch(file)), -1)


@cache
def _expressions(pattern: str) -> tuple[tuple[re.Pattern[str], int], ...]:
    """The pattern, and its suffixes without the leading folders, each with its number of parts."""
    if pattern == "*":
        return ((re.compile(r".*", re.DOTALL), 0),)
    parts = PurePosixPath(pattern).parts
    ends = [parts[skipped:] for skipped in range(len(parts))]
    telling = [end for end in ends if len(end) >= FEWEST_PARTS or not any(sign in end[0] for sign in "*?")]
    return tuple((re.compile(r"(?:.*/)?" + translate("/".join(end))), len(end)) for end in telling)


def is_permissive(license_name: str) -> bool:
    """Return whether all parts of a license expression ask for attribution at most; `or` offers a choice."""
    choices = re.split(r"\s+or\s+", license_name.strip())
    return any(all(PERMISSIVE.fullmatch(part) for part in re.split(r"\s*,?\s+and\s+", choice)) for choice in choices)
