"""Hints for recordings in unsupported formats: bags, videos, archives, other image formats."""

from __future__ import annotations

from pathlib import Path

# Suffixes, description, and how to convert it.
_FORMATS = (
    (".bag .mcap .db3", "a recording of ROS", "play it to the node: ros2 launch loftr_ros vo.launch.py bag:=PATH"),
    (
        ".mp4 .avi .mov .mkv .webm .m4v .mpg .mjpeg",
        "a video",
        "extract its images (ffmpeg -i VIDEO DIR/%06d.png), put a camera.yaml beside them, and give --fps",
    ),
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
