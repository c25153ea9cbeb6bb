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


# Names of the folders of two sensors, lower case: left and right camera, color and depth.
_PAIRS = (("left", "right"), ("cam0", "cam1"), ("image_left", "image_right"), ("infra1", "infra2"), ("l", "r"))
_COLOR, _DEPTH = ("rgb", "color", "colour", "image", "images"), ("depth", "depths", "depth_image", "depth_images")


def folder_hint(folders: list[Path]) -> str:
    """Return a clause on folders of images that are no sequence together, with the fix; empty for others."""
    names = {path.name.lower(): path.name for path in folders}
    color, depth = (next((names[name] for name in known if name in names), None) for known in (_COLOR, _DEPTH))
    if color and depth:
        return (
            f": it holds color and depth, but no lists of them; write rgb.txt with one 'stamp {color}/FILE' a line and "
            f"depth.txt with one 'stamp {depth}/FILE' (TUM RGB-D), and a camera.yaml"
        )
    for left, right in _PAIRS:
        if left in names and right in names:
            return (
                f": for stereo name the folders {names[left]} and {names[right]} left and right, with left.yaml and "
                f"right.yaml beside them; for one camera give {names[left]}"
            )
    return ""
