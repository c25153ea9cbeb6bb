"""Hints for recordings in unsupported formats: parts of bags, videos, archives, other image formats."""

from __future__ import annotations

from pathlib import Path

# Suffixes, description, and how to convert it.
_FORMATS = (
    (".mcap.zstd .db3.zstd", "a compressed part of a bag", "give its folder, with metadata.yaml"),
    (".zip .tar .gz .tgz .bz2 .xz .zst .7z .rar", "an archive", "unpack it"),
    (".exr .hdr .gif .heic .avif .jp2 .dng .npy .npz", "of a format that is not read", "convert the images to PNG"),
)


def format_hint(path: Path) -> str:
    """Return a clause on the format of a file, or of the first file of a folder with a known one; empty if unknown."""
    try:
        names = sorted(child.name for child in path.iterdir()) if path.is_dir() else [path.name]
    except OSError:
        return ""
    for name in names:
        for suffixes, kind, advice in _FORMATS:
            if name.lower().endswith(tuple(suffixes.split())):
                return f": {name} is {kind}; {advice}"
    return ""
