"""Finds out what a folder holds, and opens it."""

from __future__ import annotations

import os
from pathlib import Path

from loftr_ros.odometry.config import Mode
from loftr_ros.sequences import euroc, folder, kitti, tum
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.sequence import Sequence

KITTI, EUROC, TUM, FOLDER = "KITTI odometry", "EuRoC", "TUM RGB-D", "image folder"


def layout_of(path: Path) -> str | None:
    """Name the layout of a folder; None if it is none that is known. Raises SequenceError if it cannot be read."""
    known = ((KITTI, kitti.is_kitti), (EUROC, euroc.is_euroc), (TUM, tum.is_tum), (FOLDER, folder.is_folder))
    return next((name for name, is_layout in known if is_layout(path)), None)


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
        raise SequenceError(f"{path} is no folder; give the folder of a sequence.")
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
    raise SequenceError(f"{path} is no sequence; none of these is there: {looked_for}.")
