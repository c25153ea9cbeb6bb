"""Detects the layout of a sequence folder, and opens it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from loftr_ros.odometry.config import Mode
from loftr_ros.sequences import euroc, folder, kitti, tum
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.sequence import Sequence
from loftr_ros.sequences.unsupported_formats import folder_hint, format_hint

KITTI, EUROC, TUM, FOLDER = "KITTI odometry", "EuRoC", "TUM RGB-D", "image folder"
LAYOUTS = {KITTI: kitti.is_kitti, EUROC: euroc.is_euroc, TUM: tum.is_tum}
MAX_CHILDREN = 100  # subfolders searched for a sequence


def layout_of(path: Path) -> str | None:
    """Return the name of the layout of a folder; None if unknown. Raises SequenceError if it cannot be read."""
    known = next((name for name, has_layout in LAYOUTS.items() if has_layout(path)), None)
    return known or (FOLDER if folder.is_folder(path) and not _is_folder_of_sequence(path) else None)


def open_sequence(
    path: str | Path, mode: Mode = "mono", fps: float = folder.DEFAULT_FPS, depth_scale: float | None = None
) -> Sequence:
    """Open a recorded sequence of any supported layout; images are decoded later, one frame at a time.

    Args:
        path: KITTI odometry sequence, EuRoC sequence, TUM RGB-D sequence, or image folder.
        mode: sensors that the frames must have.
        fps: frames per second of an image folder without stamps in its file names.
        depth_scale: counts of an integer depth image per meter; None: that of the sequence.

    Raises:
        SequenceError: the folder has no supported layout, or a file is missing or not valid.
    """
    path = Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises for an unknown user
    if not os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises OSError for too long names and missing permission
        raise SequenceError(f"{path} is no folder{format_hint(path) or '; give the folder of a sequence'}.")
    layout = layout_of(path)
    if layout == KITTI:
        return kitti.open_kitti(path, mode)
    if layout == EUROC:
        return euroc.open_euroc(path, mode)
    if layout == TUM:
        return tum.open_tum(path, mode, depth_scale)
    if layout == FOLDER:
        return folder.open_folder(path, mode, fps)
    expected = "; ".join((kitti.EXPECTED_FILES, euroc.EXPECTED_FILES, tum.EXPECTED_FILES, folder.EXPECTED_FILES))
    if hint := format_hint(path) or _nearby_hint(path):
        raise SequenceError(f"{path} is no sequence{hint}.")
    raise SequenceError(f"{path} is no sequence; none of these is there: {expected}.")


def _is_folder_of_sequence(path: Path) -> bool:
    """Return whether an image folder without calibration is part of a sequence, such as image_0 of KITTI."""
    return not any(path.glob("*.y*ml")) and any(_is_layout(parent) for parent in path.resolve().parents[:3])


def _nearby_hint(path: Path) -> str:
    """Return a clause that names a sequence up to three folders above, or two below; empty if there is none."""
    with suppress(OSError, SequenceError):
        above = [parent for parent in path.resolve().parents[:3] if _is_layout(parent)]
        below = sorted(child for child in path.iterdir() if child.is_dir())[:MAX_CHILDREN]
        deeper = (near for child in below for near in sorted(child.iterdir())[:MAX_CHILDREN] if near.is_dir())
        if near := next(iter(above), None) or next(filter(_is_layout, below), None):
            return f", but {near} looks like one: give that"
        if hint := folder_hint(below):
            return hint
        if near := next(filter(folder.is_folder, below), None) or next(filter(_is_layout, deeper), None):
            return f", but {near} looks like one: give that"
    return ""


def _is_layout(path: Path) -> bool:
    return any(has_layout(path) for has_layout in LAYOUTS.values())
