"""Finds out what a folder holds, and opens it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from loftr_ros.odometry.config import Mode
from loftr_ros.sequences import euroc, folder, kitti, tum
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.foreign import what_it_is
from loftr_ros.sequences.sequence import Sequence

KITTI, EUROC, TUM, FOLDER = "KITTI odometry", "EuRoC", "TUM RGB-D", "image folder"
LAYOUTS = {KITTI: kitti.is_kitti, EUROC: euroc.is_euroc, TUM: tum.is_tum}
MAX_CHILDREN = 100  # that are looked into


def layout_of(path: Path) -> str | None:
    """Name the layout of a folder; None if it is none that is known. Raises SequenceError if it cannot be read."""
    known = next((name for name, is_one in LAYOUTS.items() if is_one(path)), None)
    return known or (FOLDER if folder.is_folder(path) and not _is_part(path) else None)


def open_sequence(
    path: str | Path, mode: Mode = "mono", fps: float = folder.DEFAULT_FPS, depth_scale: float | None = None
) -> Sequence:
    """Open recorded input of any known layout, without decoding it.

    Args:
        path: KITTI odometry sequence, EuRoC sequence, TUM RGB-D sequence, or image folder.
        mode: what the frames must hold.
        fps: frames per second of an image folder whose file names are no stamps.
        depth_scale: counts of an integer depth image in a metre; None: as the sequence says.

    Raises:
        SequenceError: the folder is no sequence, or lacks something.
    """
    path = Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises for a user that does not exist
    if not os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises OSError for names that are too long or private
        raise SequenceError(f"{path} is no folder{what_it_is(path) or '; give the folder of a sequence'}.")
    layout = layout_of(path)
    if layout == KITTI:
        return kitti.open_kitti(path, mode)
    if layout == EUROC:
        return euroc.open_euroc(path, mode)
    if layout == TUM:
        return tum.open_tum(path, mode, depth_scale)
    if layout == FOLDER:
        return folder.open_folder(path, mode, fps)
    looked_for = "; ".join((kitti.LOOKED_FOR, euroc.LOOKED_FOR, tum.LOOKED_FOR, folder.LOOKED_FOR))
    if hint := what_it_is(path) or _nearby(path):
        raise SequenceError(f"{path} is no sequence{hint}.")
    raise SequenceError(f"{path} is no sequence; none of these is there: {looked_for}.")


def _is_part(path: Path) -> bool:
    """Whether this folder of images has no calibration, because it is one of a sequence."""
    return not any(path.glob("*.y*ml")) and any(is_one(path.resolve().parent) for is_one in LAYOUTS.values())


def _nearby(path: Path) -> str:
    """Name the folder above or below that is a sequence; empty if there is none."""
    with suppress(OSError, SequenceError):
        below = sorted(child for child in path.iterdir() if child.is_dir())[:MAX_CHILDREN]
        for near in (path.resolve().parent, *below):
            if any(is_one(near) for is_one in LAYOUTS.values()) or (near in below and folder.is_folder(near)):
                return f", but {near} looks like one: give that"
    return ""
