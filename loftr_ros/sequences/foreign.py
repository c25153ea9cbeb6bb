"""What users have recordings in that are no folders of images, and how to go on from there."""

from __future__ import annotations

from pathlib import Path

# Endings, what such a file is, and what to do with it.
_KINDS = (
    (".bag .mcap .db3", "a recording of ROS", "play it to the node: ros2 launch loftr_ros vo.launch.py bag:=PATH"),
    (
        ".mp4 .avi .mov .mkv .webm .m4v .mpg .mjpeg",
        "a video",
        "extract its images (ffmpeg -i VIDEO DIR/%06d.png), put a camera.yaml beside them, and give --fps",
    ),
    (".zip .tar .gz .tgz .bz2 .xz .zst .7z .rar", "an archive", "unpack it"),
    (".exr .hdr .gif .heic .avif .jp2 .dng .npy .npz", "of a format that is not read", "convert the images to PNG"),
)


def what_it_is(path: Path) -> str:
    """Say what a file, or the first file of a folder that is known, is instead of an image; empty if none is."""
    try:
        names = sorted(child.name for child in path.iterdir()) if path.is_dir() else [path.name]
    except OSError:
        return ""
    for name in names:
        for endings, kind, advice in _KINDS:
            if name.lower().endswith(tuple(endings.split())):
                return f": {name} is {kind}; {advice}"
    return ""
