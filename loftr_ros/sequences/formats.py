"""Detects the kind of a recording by its content, and opens it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Sequence as Items
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from loftr_ros.errors import shortened
from loftr_ros.odometry.config import Mode
from loftr_ros.sequences import folder
from loftr_ros.sequences.datasets.known import DATASETS, WITHOUT_CALIBRATION
from loftr_ros.sequences.datasets.layout import Options, counts_per_meter
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.guessed_camera import FieldOfView, calibration_exists
from loftr_ros.sequences.recordings import bag, bag_paths, video
from loftr_ros.sequences.sequence import Sequence
from loftr_ros.sequences.unsupported_formats import folder_hint, format_hint

BAG, VIDEO, FOLDER = "bag", "video", "image folder"
# Modes by preference: metric first, and stereo before rgbd, whose depth unit may be assumed.
BEST_FIRST: tuple[Mode, ...] = ("stereo", "rgbd", "mono")
MAX_CHILDREN = 100  # subfolders searched for a sequence


def layout_of(path: Path) -> str | None:
    """Return the name of the layout of a source; None if unknown. Raises SequenceError if it cannot be read."""
    if bag_paths.is_bag(path):
        return BAG
    if not os.path.isdir(path):  # noqa: PTH112  see open_sequence
        return VIDEO if video.is_video(path) else None
    known = next((name for name, layout in DATASETS.items() if layout.is_there(path)), None)
    if known or (folder.is_folder(path) and not _is_folder_of_sequence(path)):
        return known or FOLDER
    return BAG if bag_paths.has_bag_files(path) else None


def open_sequence(
    path: str | Path,
    mode: Mode = "mono",
    fps: float | None = None,
    depth_scale: float | None = None,
    *,
    topics: Mapping[str, str] | None = None,
    camera: Items[Path] = (),
    fov: FieldOfView | None = None,
) -> Sequence:
    """Open a recorded sequence of any supported layout; images are decoded later, one frame at a time.

    Args:
        path: bag of ROS, video, sequence of a data set (KITTI, EuRoC, TUM RGB-D and others), or image folder.
        mode: sensors that the frames must have.
        fps: frames per second of an image folder without stamps in its file names (None: 30), or of a video (None:
            the times in the file).
        depth_scale: counts of an integer depth image per meter; None: that of the sequence.
        topics: of a bag, by role (image, left, right, depth, truth, wheels); None: those of the only camera.
        camera: calibration files of a bag, a video or images, of the left or only camera and of the right one; empty:
            its own.
        fov: guess the calibration of images, a video or a bag that have none: horizontal field of view in degrees, or
            "exif"; for the mode mono, and rgbd of TUM RGB-D.

    Raises:
        SequenceError: the folder has no supported layout, or a file is missing or not valid.
    """
    path = Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises for an unknown user
    if "\0" in str(path):
        raise SequenceError(f"{shortened(path)} is no path: it has a null character.")
    if depth_scale is not None:
        counts_per_meter(depth_scale, "depth_scale")
    layout = layout_of(path)
    if layout == BAG:
        return bag.open_bag(path, mode, depth_scale, topics, camera, fov)
    if topics:
        raise SequenceError(f"{path} is no bag of ROS, so it has no topics: remove --topics.")
    if layout == VIDEO:
        return video.open_video(path, mode, fps, camera, fov)
    if camera and layout != FOLDER:
        raise SequenceError(f"{path} is no bag, video or image folder: remove --camera.")
    if not os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises OSError for too long names and missing permission
        raise SequenceError(f"{path} is no folder{format_hint(path) or '; give a bag, a video, or a folder'}.")
    if layout in DATASETS:
        if fov is not None and layout not in WITHOUT_CALIBRATION:
            raise calibration_exists(path, f"as a sequence of {layout}")
        return DATASETS[layout].open(path, Options(mode, fps, depth_scale, fov))
    if layout == FOLDER:
        return folder.open_folder(path, mode, folder.DEFAULT_FPS if fps is None else fps, camera, fov)
    expected = "; ".join((*(layout.expected for layout in DATASETS.values()), folder.EXPECTED_FILES))
    if hint := format_hint(path) or _nearby_hint(path):
        raise SequenceError(f"{path} is no sequence{hint}.")
    raise SequenceError(f"{path} is no sequence; none of these is there: {expected}.")


def open_best(
    path: str | Path,
    fps: float | None = None,
    depth_scale: float | None = None,
    *,
    topics: Mapping[str, str] | None = None,
    camera: Items[Path] = (),
    fov: FieldOfView | None = None,
) -> tuple[Mode, Sequence]:
    """Open a recorded sequence in the first mode that it supports: stereo, else rgbd, else mono.

    A note says why sensors that are there cannot be used. The arguments are those of `open_sequence`.

    Raises:
        SequenceError: it cannot be opened in any mode.
    """
    notes: list[str] = []
    faults: list[SequenceError] = []
    for mode in BEST_FIRST:
        try:
            found = open_sequence(path, mode, fps, depth_scale, topics=topics, camera=camera, fov=fov)
        except SequenceError as fault:
            faults.append(fault)
            if not isinstance(fault, MissingSensorError):
                notes.append(f"not {mode}: {str(fault).rstrip('.')}")
        else:
            return mode, replace(found, notes=(*notes, *found.notes))
    raise next((fault for fault in faults if not isinstance(fault, MissingSensorError)), faults[-1])


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
    return any(layout.is_there(path) for layout in DATASETS.values())
